//! HTTP/1.1, by hyper: whatever is not for the express lane.
//!
//! There are no early hints here: many clients and proxies that speak HTTP/1.1 take an interim answer which they
//! did not ask for as the final one.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt;
use http::header::UPGRADE;
use http::{Method, Request};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::activity::{Watched, WatchedBody};
use super::body::BoxError;
use super::doors::{Doors, Peer};
use super::protocol::Prefixed;
use super::vigil::Vigil;

/// Serves connections.
#[derive(Clone)]
pub(super) struct Http1(Builder);

impl Http1 {
    pub(super) fn new() -> Self {
        let mut builder = Builder::new();
        // Its timer would be made anew for every request; see `activity`.
        builder.header_read_timeout(None);
        Self(builder)
    }

    /// Serves a connection until it is between two requests and cannot go on, or has ended (`None`). What was read
    /// ahead is given back. When the server stops, a request in flight is answered first.
    ///
    /// # Errors
    /// The connection is broken, or the client does not speak HTTP.
    pub(super) async fn serve<S>(
        &self,
        stream: Prefixed<S>,
        peer: Peer,
        doors: Arc<Doors>,
        vigil: &mut Vigil<'_, '_>,
    ) -> Result<Option<Prefixed<S>>, BoxError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::clone(vigil.activity());
        activity.change_hands();
        let stream = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
        let of_requests = Arc::clone(&activity);
        let service = service_fn(move |request: Request<Incoming>| {
            let answering = of_requests.begin(ends_with_its_head(&request));
            Arc::clone(&doors).answer(request, peer).map(|response| {
                Ok::<_, Infallible>(response.map(|body| WatchedBody { body, _answering: answering }))
            })
        });
        // Where a Worker takes a connection over, as for a WebSocket, hyper parts with it and is done.
        let mut connection = self.0.serve_connection(stream, service).with_upgrades();
        let mut is_leaving = false;
        let has_ended = poll_fn(|cx| {
            loop {
                if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
                    return Poll::Ready(ended.map(|()| true));
                }
                if vigil.is_over(cx) {
                    return Poll::Ready(Ok(true));
                }
                if is_leaving {
                    return Poll::Pending;
                }
                if !vigil.is_told_to_stop(cx) {
                    let goes_back = activity.is_between_requests();
                    return if goes_back { Poll::Ready(Ok(false)) } else { Poll::Pending };
                }
                is_leaving = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        });
        if has_ended.await? {
            return Ok(None);
        }
        Ok(connection.into_parts().map(|parts| {
            let (stream, rest) = parts.io.into_inner().into_inner().into_parts();
            Prefixed::new([&*parts.read_buf, &*rest].concat(), stream)
        }))
    }
}

/// Whether nothing of a request follows its head, and the connection remains what it is.
fn ends_with_its_head(request: &Request<Incoming>) -> bool {
    request.body().is_end_stream()
        && *request.method() != Method::CONNECT
        && !request.headers().contains_key(UPGRADE)
}
