//! The edge as others hold it: options, start, the two questions a listener asks.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{HeaderMap, Method, Request, Response};
use offprint_functions::{DeploymentKey, FunctionRuntime};
use offprint_model::request_path::{RequestTarget, RequestUrl, Scheme};
use offprint_store::{Store, StoreError, Wake};

use crate::assets::Assets;
use crate::body::EdgeBody;
use crate::handler::{self, Exchange, House, Missing};
use crate::host::{BadHost, Host};
use crate::pages::{self, Page};
use crate::ready::{self, Place, PlainRequest, Rack, ReadyAnswer};
use crate::refresh::Refresher;
use crate::site::Site;
use crate::sites::Sites;
use crate::table::{Route, SiteRoute, Table};
use crate::worker::WorkerTurn;

/// How an edge behaves.
#[derive(Clone, Debug)]
pub struct EdgeOptions {
    /// Sites answer at `<project>.<domain>` and `<deployment or branch>.<project>.<domain>`.
    pub domain: String,
    /// The server's own host, which no site may take: whoever answers there is given API tokens.
    pub platform_host: Option<String>,
    /// The scheme which visitors use (`http` or `https`), where no trusted proxy says otherwise.
    pub scheme: String,
    /// Whether `X-Forwarded-Proto` is believed, and the last address in `X-Forwarded-For`.
    pub trust_proxy: bool,
    /// Memory for the bytes of assets. Those longer than an eighth of it, or than 16 MiB, are streamed.
    pub cache_bytes: u64,
    /// Memory for compiled sites, estimated.
    pub site_cache_bytes: u64,
    /// How often the store is asked for changes when nobody pokes.
    pub refresh_interval: Duration,
    /// Answer exactly as Cloudflare Pages does, without what Offprint adds: ranges, stored variants, skew
    /// protection.
    pub strict: bool,
    /// How long assets of a site that another one took the place of stay reachable; zero: not at all.
    pub skew_protection: Duration,
}

impl EdgeOptions {
    /// The defaults, for sites below this domain.
    pub fn new(domain: impl Into<String>) -> Self {
        Self {
            domain: domain.into(),
            platform_host: None,
            scheme: "http".to_owned(),
            trust_proxy: false,
            cache_bytes: 256 << 20,
            site_cache_bytes: 64 << 20,
            refresh_interval: Duration::from_millis(500),
            strict: false,
            skew_protection: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// Whom a request is for.
pub enum Destination<'r> {
    /// A site: hand it to [`Edge::serve`].
    Site(SiteHost<'r>),
    /// The server itself.
    Platform,
    /// Nobody: it is not clear which host is meant. HTTP/1.1 demands one valid `Host` and an answer of 400
    /// otherwise (RFC 9112, 3.2), since a proxy in front may have read another one.
    BadHost,
}

/// The host of a request for a site. Only [`Edge::destination`] makes one.
pub struct SiteHost<'r>(Host<'r>);

/// What becomes of a request for a site.
pub enum Outcome {
    /// It is answered.
    Served(Served),
    /// It is for the site's Worker to answer: hand it over with [`Edge::run_worker`].
    Worker(WorkerTurn),
}

/// An answer, and how it came about.
pub struct Served {
    /// The answer.
    pub response: Response<EdgeBody>,
    /// Where its bytes came from.
    pub cache: CacheOutcome,
}

/// Where the bytes of an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheOutcome {
    /// Memory.
    Hit,
    /// The blob store; from now on memory.
    Miss,
    /// The blob store, streamed and not kept.
    Stream,
    /// There were none to fetch: redirects, 304, errors.
    None,
}

impl CacheOutcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hit, Self::Miss, Self::Stream, Self::None];

    /// In logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Stream => "stream",
            Self::None => "none",
        }
    }
}

/// Answers requests for sites. Clones share everything.
#[derive(Clone)]
pub struct Edge(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    /// `.` and the domain: what the hosts of sites end in.
    domain_suffix: Box<str>,
    /// Lower case.
    platform_host: Option<Box<str>>,
    scheme: Scheme,
    pub(crate) trust_proxy: bool,
    table: Arc<ArcSwap<Table>>,
    pub(crate) house: House,
    /// Runs Workers.
    pub(crate) functions: Arc<dyn FunctionRuntime>,
    /// Stops refreshing when the last clone of the edge goes.
    refresher: Refresher,
}

impl Edge {
    /// Reads the routing table and starts the task that keeps it current.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn start(
        store: Store,
        wake: Wake,
        functions: Arc<dyn FunctionRuntime>,
        options: EdgeOptions,
    ) -> Result<Self, StoreError> {
        let table = Arc::new(ArcSwap::from_pointee(Table::default()));
        let (held, told) = (Arc::clone(&table), Arc::clone(&functions));
        let refresher = Refresher::start(store.clone(), wake, held, told, options.refresh_interval).await?;
        Ok(Self(Arc::new(Inner {
            domain_suffix: format!(".{}", options.domain.to_ascii_lowercase()).into(),
            platform_host: options.platform_host.map(|host| host.to_ascii_lowercase().into()),
            scheme: if options.scheme == "https" { Scheme::Https } else { Scheme::Http },
            trust_proxy: options.trust_proxy,
            table,
            house: House {
                sites: Sites::new(store.clone(), options.site_cache_bytes),
                assets: Assets::new(store, options.cache_bytes),
                // A head for some ten kilobytes of asset.
                ready: Rack::new(options.cache_bytes / 16),
                is_strict: options.strict,
                skew_micros: i64::try_from(options.skew_protection.as_micros()).unwrap_or(i64::MAX),
            },
            functions,
            refresher,
        })))
    }

    /// Whom a request is for, by its host.
    pub fn destination<'r, B>(&self, request: &'r Request<B>) -> Destination<'r> {
        let host = match Host::of(request) {
            Ok(Some(host)) => host,
            Ok(None) => return Destination::Platform,
            Err(BadHost) => return Destination::BadHost,
        };
        let is_site = self.0.platform_host.as_deref() != Some(host.name())
            && (host.name().ends_with(&*self.0.domain_suffix) || self.0.table.load().has_domain(host.name()));
        if is_site { Destination::Site(SiteHost(host)) } else { Destination::Platform }
    }

    /// Answers a request for a site, unless it is the Worker's.
    ///
    /// The route is looked up once; the site found there answers to the end, so a request never sees
    /// half of two deployments.
    pub async fn serve<B>(&self, host: SiteHost<'_>, request: &Request<B>) -> Outcome {
        let SiteHost(host) = host;
        let table = self.0.table.load();
        let route = table.route(host.name(), &self.0.domain_suffix);
        let (route, site) = match self.site(route, host.name()).await {
            Ok(found) => found,
            Err(page) => return Outcome::Served(page.answer(request.method() == Method::HEAD)),
        };
        let target = target_of(request);
        let scheme = self.scheme(request.headers());
        // A tunnel is no request that a Worker can answer.
        if site.reaches_worker(&target.path) && request.method() != Method::CONNECT {
            let project = table.project_of(host.name(), &self.0.domain_suffix);
            return match WorkerTurn::new(project, route.deployment, scheme) {
                Some(turn) => Outcome::Worker(turn),
                None => Outcome::Served(pages::UNKNOWN_HOST.answer(request.method() == Method::HEAD)),
            };
        }
        let exchange = Exchange {
            method: request.method(),
            url: url_of(&host, scheme, &target),
            headers: request.headers(),
            route,
            site: &site,
            missing: Missing::Answered,
            house: &self.0.house,
        };
        Outcome::Served(handler::answer(&exchange).await)
    }

    /// Answers a request by the assets and rules of one deployment, wherever its host leads, and never by its Worker.
    pub(crate) async fn serve_assets(
        &self,
        key: &DeploymentKey,
        scheme: Scheme,
        missing: Missing,
        request: &Request<()>,
    ) -> Served {
        let is_head = request.method() == Method::HEAD;
        let Ok(Some(host)) = Host::of_url(request) else { return pages::UNKNOWN_HOST.answer(is_head) };
        let table = self.0.table.load();
        let route = table.route_to(key, host.name(), &self.0.domain_suffix);
        let (route, site) = match self.site(route, host.name()).await {
            Ok(found) => found,
            Err(page) => return page.answer(is_head),
        };
        let target = target_of(request);
        let exchange = Exchange {
            method: request.method(),
            url: url_of(&host, scheme, &target),
            headers: request.headers(),
            route,
            site: &site,
            missing,
            house: &self.0.house,
        };
        handler::answer(&exchange).await
    }

    /// The site that a route leads to, or the page that says why there is none.
    async fn site<'t>(
        &self,
        route: Route<'t>,
        host: &str,
    ) -> Result<(SiteRoute<'t>, Arc<Site>), &'static Page> {
        let route = match route {
            Route::Site(route) => route,
            Route::Deleted => return Err(&pages::DELETED),
            Route::NoProduction => return Err(&pages::NO_PRODUCTION),
            Route::Unknown => return Err(&pages::UNKNOWN_HOST),
        };
        match self.0.house.sites.get(route.site).await {
            Ok(site) => Ok((route, site)),
            Err(error) => {
                tracing::error!(host, %error, "cannot load the site");
                Err(&pages::UNAVAILABLE)
            }
        }
    }

    /// The answer to a plain request, if it is ready: the one that [`Edge::serve`] would give, found without a
    /// pause. `None` says nothing about the request but that it is to go the ordinary way, the host included.
    pub fn ready(&self, request: &PlainRequest<'_>) -> Option<ReadyAnswer> {
        let host = Host::parse(request.host).ok()??;
        if self.0.platform_host.as_deref() == Some(host.name()) {
            return None;
        }
        let table = self.0.table.load();
        let Route::Site(route) = table.route(host.name(), &self.0.domain_suffix) else { return None };
        let path_end = request.target.bytes().position(|byte| byte == b'?');
        let path = path_end.map_or(request.target, |end| &request.target[..end]);
        let (house, place) = (&self.0.house, Place::new(&route, host.name(), path));
        if let Some(answer) = ready::answer(house, &place, &route, request) {
            return Some(answer);
        }
        let target = RequestTarget::parse(request.target);
        // What depends on the scheme is never ready.
        let url = url_of(&host, self.0.scheme, &target);
        handler::prepare(house, &place, route, url, request)?;
        ready::answer(house, &place, &route, request)
    }

    /// Brings the table up to what the store says now, without waiting for the timer.
    ///
    /// # Errors
    /// The store cannot be read; the table stays as it was.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.0.refresher.refresh().await
    }

    /// The revision of the routing table in use.
    pub fn revision(&self) -> u64 {
        self.0.table.load().revision()
    }

    fn scheme(&self, headers: &HeaderMap) -> Scheme {
        if self.0.trust_proxy
            && let Some(forwarded) = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok())
        {
            let nearest_visitor = forwarded.split(',').next().unwrap_or("").trim();
            if nearest_visitor.eq_ignore_ascii_case("https") {
                return Scheme::Https;
            }
            if nearest_visitor.eq_ignore_ascii_case("http") {
                return Scheme::Http;
            }
        }
        self.0.scheme
    }
}

fn target_of<B>(request: &Request<B>) -> RequestTarget<'_> {
    RequestTarget::parse(request.uri().path_and_query().map_or("/", |target| target.as_str()))
}

fn url_of<'r>(host: &'r Host<'_>, scheme: Scheme, target: &'r RequestTarget<'_>) -> RequestUrl<'r> {
    RequestUrl {
        scheme,
        authority: host.authority(),
        host: host.name(),
        path: &target.path,
        search: &target.search,
    }
}
