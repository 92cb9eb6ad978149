//! Where requests go, whatever protocol they came in, and what is noted about them.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use offprint_api::ClientAddress;
use offprint_edge::{CacheOutcome, Destination, Edge, Outcome, Served};
use offprint_functions::TlsSession;
use tower::ServiceExt;

use super::access_log::AccessLog;
use super::body::{BoxError, Content, ServerBody};
use super::metrics::{Metrics, Surface};
use super::workers;

/// The other end of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    /// Its address.
    pub(crate) remote: SocketAddr,
    /// The TLS session with it, if there is one.
    pub(crate) tls: Option<&'static TlsSession>,
}

/// Where requests go.
pub(crate) struct Doors {
    /// Answers for sites.
    pub(crate) edge: Edge,
    /// The longest body that a Worker is sent, in bytes.
    pub(crate) worker_body_bytes_max: u64,
    /// Answers for everything else: the APIs, health.
    pub(crate) platform: axum::Router,
    /// Counts both.
    pub(crate) metrics: Arc<Metrics>,
    /// Notes both, where the operator wants it.
    pub(crate) access_log: Option<AccessLog>,
}

/// An answer, and who gave it.
pub(super) struct Answered {
    pub(super) surface: Surface,
    pub(super) cache: CacheOutcome,
    pub(super) response: Response<Content>,
}

impl Doors {
    /// Answers a request that came from there.
    // Not an `async fn`, which would hold its parameters twice; the future is copied with every request.
    #[expect(clippy::manual_async_fn, reason = "see above")]
    pub(crate) fn answer<B>(
        self: Arc<Self>,
        request: Request<B>,
        peer: Peer,
    ) -> impl Future<Output = Response<ServerBody>>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        async move {
            let came = Instant::now();
            let mut line = self.access_log.as_ref().and_then(|log| log.begin(&request, peer.remote, came));
            let Answered { surface, cache, response } = match self.edge.destination(&request) {
                Destination::Site(host) => {
                    match AssertUnwindSafe(self.edge.serve(host, &request)).catch_unwind().await {
                        Ok(Outcome::Served(served)) => of_site(served),
                        // Boxed, as is the platform's.
                        Ok(Outcome::Worker(turn)) => {
                            let answer = Box::pin(workers::answer(&self, turn, peer, request));
                            let answer = AssertUnwindSafe(answer).catch_unwind().await;
                            answer.unwrap_or_else(|panic| after_panic(panic.as_ref()))
                        }
                        Err(panic) => after_panic(panic.as_ref()),
                    }
                }
                // Boxed, or every request for a site would carry the room for it around.
                Destination::Platform => {
                    let mut request = request.map(axum::body::Body::new);
                    // Whoever changes something is written down with where he came from.
                    let address = self.edge.client_address(request.headers_mut(), peer.remote.ip());
                    request.extensions_mut().insert(ClientAddress(address));
                    let answer = self.platform.clone().oneshot(request);
                    match Box::pin(AssertUnwindSafe(answer).catch_unwind()).await {
                        Ok(Ok(response)) => of_platform(response.map(Content::Platform)),
                        Ok(Err(never)) => match never {},
                        Err(panic) => after_panic(panic.as_ref()),
                    }
                }
                Destination::BadHost => bad_host(),
            };
            self.metrics.answered(surface, response.status(), cache, came.elapsed());
            if let Some(line) = &mut line {
                line.answered(surface, cache, &response);
            }
            response.map(|content| ServerBody::new(content, self, surface, line))
        }
    }
}

fn of_site(served: Served) -> Answered {
    Answered { surface: Surface::Site, cache: served.cache, response: served.response.map(Content::Site) }
}

const fn of_platform(response: Response<Content>) -> Answered {
    Answered { surface: Surface::Platform, cache: CacheOutcome::None, response }
}

pub(super) fn plain(status: StatusCode, text: &'static str) -> Answered {
    let mut response = Response::new(Content::Text(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    of_platform(response)
}

fn bad_host() -> Answered {
    plain(StatusCode::BAD_REQUEST, "The request needs one valid Host header.\n")
}

/// A fault of ours costs the request it happened in its answer, and no other.
fn after_panic(panic: &(dyn Any + Send)) -> Answered {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("?"), "answering panicked");
    plain(StatusCode::INTERNAL_SERVER_ERROR, "The server made a mistake.\n")
}
