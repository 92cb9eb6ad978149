//! Requests that a site's Worker answers, and what it asks of the site's assets.
//!
//! The runtime is told whom it serves by the deployment's key alone, and asks back by the same key: whatever is
//! activated meanwhile, a request sees one deployment.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, FORWARDED};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use offprint_functions::{AssetsHandler, Body, DeploymentKey, TlsSession, Visitor};
use offprint_model::accept_encoding::{Choice, choose_lines};
use offprint_model::encoding::{Encoding, EncodingSet};
use offprint_model::name::ProjectName;
use offprint_model::request_path::Scheme;
use offprint_store::ShortId;

use crate::body::EdgeBody;
use crate::edge::{CacheOutcome, Edge, Served};
use crate::handler::Missing;
use crate::pages;

/// A request that waits for its Worker. Only [`Edge::serve`] makes one.
pub struct WorkerTurn {
    key: DeploymentKey,
    scheme: Scheme,
}

impl WorkerTurn {
    pub(crate) fn new(project: &str, deployment: ShortId, scheme: Scheme) -> Option<Self> {
        let project = ProjectName::parse(project).ok()?;
        Some(Self { key: DeploymentKey { project, deployment }, scheme })
    }
}

impl Edge {
    /// Has the Worker answer a request of which [`Edge::serve`] has said that it is its turn. `remote` and `tls` are
    /// those of the connection.
    ///
    /// Where Functions do not run, a project that fails open gets its assets served instead. A path at which there is
    /// none is still said to be a Function's: nobody should take a server's trouble for a missing page, or the front
    /// page for an answer. (Strict: it is answered as if there were no Worker, as on Cloudflare Pages.)
    pub async fn run_worker(
        &self,
        turn: WorkerTurn,
        remote: IpAddr,
        tls: Option<TlsSession>,
        mut request: Request<Body>,
    ) -> Served {
        let WorkerTurn { key, scheme } = turn;
        if !self.0.trust_proxy {
            drop_claims(request.headers_mut());
        }
        let address = self.client_address(request.headers_mut(), remote);
        let is_vouched_for = self.0.trust_proxy;
        let visitor = Visitor { address: Some(address), scheme, tls, is_vouched_for };
        let declined = match self.0.functions.answer(key.clone(), visitor, request).await {
            Ok(answer) => return of_worker(answer),
            Err(declined) => *declined,
        };
        if declined.fail_open {
            let missing = if self.0.house.is_strict { Missing::Answered } else { Missing::Bare };
            let request = Request::from_parts(declined.head, ());
            let served = self.serve_assets(&key, scheme, missing, &request).await;
            if self.0.house.is_strict || !is_missing(served.response.status()) {
                return served;
            }
        }
        of_worker(declined.response)
    }

    /// The address of whoever sent a request over a connection from `remote`. What a trusted proxy says of it is taken
    /// out of the headers.
    pub fn client_address(&self, headers: &mut HeaderMap, remote: IpAddr) -> IpAddr {
        self.0.trust_proxy.then(|| take_forwarded_for(headers)).flatten().unwrap_or(remote)
    }

    /// Answers what Workers ask of their deployments' assets. It does not keep the edge alive.
    pub fn assets_handler(&self) -> AssetsHandler {
        let edge = Arc::downgrade(&self.0);
        Arc::new(move |key, request| {
            let edge = edge.upgrade().map(Self);
            Box::pin(async move {
                match edge {
                    Some(edge) => edge.answer_worker(&key, request).await,
                    None => of_edge(pages::UNAVAILABLE.answer(false)),
                }
            })
        })
    }

    async fn answer_worker(&self, key: &DeploymentKey, request: Request<Body>) -> Response<Body> {
        let mut request = request.map(drop);
        let scheme = match request.uri().scheme_str() {
            Some("http") => Scheme::Http,
            _ => Scheme::Https,
        };
        if !self.0.house.is_strict {
            accept_what_workers_read(request.headers_mut());
        }
        of_edge(self.serve_assets(key, scheme, Missing::Answered, &request).await)
    }
}

fn of_worker(answer: Response<Body>) -> Served {
    Served { response: answer.map(EdgeBody::of_worker), cache: CacheOutcome::None }
}

fn of_edge(served: Served) -> Response<Body> {
    served.response.map(|body| body.map_err(Into::into).boxed_unsync())
}

/// Whether the assets have nothing to say.
fn is_missing(status: StatusCode) -> bool {
    matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that the trusted proxy in front has seen. It stands at the end, behind what the visitor may have made
/// up, and is taken off the list: whoever answers puts the visitor's address back there.
fn take_forwarded_for(headers: &mut HeaderMap) -> Option<IpAddr> {
    let lines = headers.get_all(X_FORWARDED_FOR).iter();
    let list = lines.map(|line| line.to_str().unwrap_or_default()).collect::<Vec<_>>().join(",");
    let (before, last) = list.rsplit_once(',').unwrap_or(("", &list));
    let last = last.trim();
    let with_port = || last.parse().ok().map(|socket: SocketAddr| socket.ip());
    let address = last.parse().ok().or_else(with_port)?;
    match HeaderValue::from_str(before.trim()) {
        Ok(before) if !before.is_empty() => drop(headers.insert(X_FORWARDED_FOR, before)),
        _ => drop(headers.remove(X_FORWARDED_FOR)),
    }
    Some(address)
}

/// Nobody in front has vouched for it: a Function must not take a visitor's word for where he comes from, or for what
/// Cloudflare would have said of him (as `Cf-Access-Authenticated-User-Email`).
fn drop_claims(headers: &mut HeaderMap) {
    let is_claim = |name: &&HeaderName| name.as_str().starts_with("cf-") || **name == X_FORWARDED_FOR;
    let claims: Vec<HeaderName> = headers.keys().filter(is_claim).cloned().collect();
    for claim in claims {
        headers.remove(claim);
    }
    headers.remove(FORWARDED);
}

/// Of the compressed forms, workerd takes gzip apart for every Worker that reads what it gets; brotli only from some
/// compatibility date on, and zstd never. What a Worker passes on unread reaches the visitor as it is.
fn accept_what_workers_read(headers: &mut HeaderMap) {
    let gzip = EncodingSet::EMPTY.with(Encoding::Gzip);
    let lines = headers.get_all(ACCEPT_ENCODING).iter().map(HeaderValue::as_bytes);
    match choose_lines(lines, gzip) {
        Choice::Coded(_) => drop(headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))),
        Choice::Identity => drop(headers.remove(ACCEPT_ENCODING)),
        // Nothing suits: that is said as it would be to the visitor.
        Choice::NotAcceptable => {}
    }
}
