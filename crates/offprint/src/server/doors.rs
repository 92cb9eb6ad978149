//! Where requests go, whatever protocol they came in, and what is noted about them.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::ConnectInfo;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use offprint_edge::{CacheOutcome, Destination, Edge, Served};
use tower::ServiceExt;

use super::access_log::AccessLog;
use super::body::{BoxError, Content, ServerBody};
use super::metrics::{Metrics, Surface};

/// Where requests go.
pub(crate) struct Doors {
    /// Answers for sites.
    pub(crate) edge: Edge,
    /// Answers for everything else: the APIs, health.
    pub(crate) platform: axum::Router,
    /// Counts both.
    pub(crate) metrics: Arc<Metrics>,
    /// Notes both, where the operator wants it.
    pub(crate) access_log: Option<AccessLog>,
}

/// An answer, and who gave it.
struct Answered {
    surface: Surface,
    cache: CacheOutcome,
    response: Response<Content>,
}

impl Doors {
    /// Answers a request that came from this address.
    // Not an `async fn`, which would hold its parameters twice; the future is copied with every request.
    #[expect(clippy::manual_async_fn, reason = "see above")]
    pub(crate) fn answer<B>(
        self: Arc<Self>,
        request: Request<B>,
        remote: SocketAddr,
    ) -> impl Future<Output = Response<ServerBody>>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        async move {
            let came = Instant::now();
            let mut line = self.access_log.as_ref().and_then(|log| log.begin(&request, remote, came));
            let Answered { surface, cache, response } = match self.edge.destination(&request) {
                Destination::Site(host) => {
                    let served = AssertUnwindSafe(self.edge.serve(host, &request)).catch_unwind().await;
                    served.map_or_else(|panic| after_panic(panic.as_ref()), of_site)
                }
                // Boxed, or every request for a site would carry the room for it around.
                Destination::Platform => {
                    let mut request = request.map(axum::body::Body::new);
                    // Whoever changes something is written down with where he came from.
                    request.extensions_mut().insert(ConnectInfo(remote));
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

fn plain(status: StatusCode, text: &'static str) -> Answered {
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
