//! The edge as others hold it: options, start, the two questions a listener asks.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{HeaderMap, Request, Response};
use offprint_model::request_path::{RequestTarget, RequestUrl, Scheme};
use offprint_store::{Store, StoreError, Wake};

use crate::asset_cache::AssetCache;
use crate::body::EdgeBody;
use crate::handler::{self, Exchange};
use crate::host::Host;
use crate::pages;
use crate::refresh::Refresher;
use crate::site_cache::SiteCache;
use crate::table::{Route, Table};

/// How an edge behaves.
#[derive(Clone, Debug)]
pub struct EdgeOptions {
    /// Sites answer at `<project>.<domain>` and `<deployment or branch>.<project>.<domain>`.
    pub domain: String,
    /// The server's own host, which no site may take: whoever answers there is given API tokens.
    pub platform_host: Option<String>,
    /// The scheme which visitors use (`http` or `https`), where no trusted proxy says otherwise.
    pub scheme: String,
    /// Whether `X-Forwarded-Proto` is believed.
    pub trust_proxy: bool,
    /// Memory for the bytes of assets.
    pub cache_bytes: u64,
    /// Memory for compiled sites, estimated.
    pub site_cache_bytes: u64,
    /// Assets longer than this are streamed from the blob store and not kept in memory.
    pub cached_asset_bytes_max: u64,
    /// How often the store is asked for changes when nobody pokes.
    pub refresh_interval: Duration,
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
            cached_asset_bytes_max: 1 << 20,
            refresh_interval: Duration::from_millis(500),
        }
    }
}

/// Answers requests for sites. Clones share everything.
#[derive(Clone)]
pub struct Edge(Arc<Inner>);

struct Inner {
    /// `.` and the domain: what the hosts of sites end in.
    domain_suffix: Box<str>,
    /// Lower case.
    platform_host: Option<Box<str>>,
    scheme: Scheme,
    trust_proxy: bool,
    table: Arc<ArcSwap<Table>>,
    sites: SiteCache,
    assets: AssetCache,
    /// Stops refreshing when the last clone of the edge goes.
    refresher: Refresher,
}

impl Edge {
    /// Reads the routing table and starts the task that keeps it current.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn start(store: Store, wake: Wake, options: EdgeOptions) -> Result<Self, StoreError> {
        let table = Arc::new(ArcSwap::from_pointee(Table::default()));
        let refresher =
            Refresher::start(store.clone(), wake, Arc::clone(&table), options.refresh_interval).await?;
        Ok(Self(Arc::new(Inner {
            domain_suffix: format!(".{}", options.domain.to_ascii_lowercase()).into(),
            platform_host: options.platform_host.map(|host| host.to_ascii_lowercase().into()),
            scheme: if options.scheme == "https" { Scheme::Https } else { Scheme::Http },
            trust_proxy: options.trust_proxy,
            table,
            sites: SiteCache::new(store.clone(), options.site_cache_bytes),
            assets: AssetCache::new(store, options.cache_bytes, options.cached_asset_bytes_max),
            refresher,
        })))
    }

    /// Whether the request is for a site: its host is below the domain, or a project's custom domain,
    /// and not the server's own.
    pub fn owns<B>(&self, request: &Request<B>) -> bool {
        let Some(host) = Host::of(request) else { return false };
        if self.0.platform_host.as_deref() == Some(host.name()) {
            return false;
        }
        host.name().ends_with(&*self.0.domain_suffix) || self.0.table.load().has_domain(host.name())
    }

    /// Answers a request for a site.
    ///
    /// The route is looked up once; the site found there answers to the end, so a request never sees
    /// half of two deployments.
    pub async fn serve<B>(&self, request: Request<B>) -> Response<EdgeBody> {
        let is_head = request.method() == http::Method::HEAD;
        let Some(host) = Host::of(&request) else { return pages::UNKNOWN_HOST.answer(is_head) };
        let route = self.0.table.load().route(host.name(), &self.0.domain_suffix);
        let (site, is_preview) = match route {
            Route::Site { site, is_preview } => (site, is_preview),
            Route::Deleted => return pages::DELETED.answer(is_head),
            Route::NoProduction => return pages::NO_PRODUCTION.answer(is_head),
            Route::Unknown => return pages::UNKNOWN_HOST.answer(is_head),
        };
        let site = match self.0.sites.get(&site).await {
            Ok(site) => site,
            Err(error) => {
                tracing::error!(host = host.name(), %error, "cannot load the site");
                return pages::UNAVAILABLE.answer(is_head);
            }
        };
        let target =
            RequestTarget::parse(request.uri().path_and_query().map_or("/", |target| target.as_str()));
        let url = RequestUrl {
            scheme: self.scheme(request.headers()),
            authority: host.authority(),
            host: host.name(),
            path: &target.path,
            search: &target.search,
        };
        let exchange = Exchange { method: request.method(), url, headers: request.headers(), is_preview };
        handler::answer(&site, &self.0.assets, &exchange).await
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
