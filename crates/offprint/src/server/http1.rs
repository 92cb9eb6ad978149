//! HTTP/1.1, by hyper.
//!
//! There are no early hints here: many clients and proxies that speak HTTP/1.1 take an interim answer which they
//! did not ask for as the final one.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::activity::{Activity, Watch, Watched, WatchedBody};
use super::body::BoxError;
use super::doors::{Doors, Peer};
use super::listener::IDLE_TIMEOUT;
use super::stop::Stop;

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

    /// Serves a connection until the client or `stop` ends it; a request in flight is answered first.
    pub(super) async fn serve<S>(
        &self,
        stream: S,
        peer: Peer,
        doors: Arc<Doors>,
        stop: &Stop,
    ) -> Result<(), BoxError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::new(Activity::default());
        let mut watch = Watch::new(Arc::clone(&activity), IDLE_TIMEOUT);
        let stream = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
        let service = service_fn(move |request| {
            let answering = activity.begin();
            Arc::clone(&doors).answer(request, peer).map(|response| {
                Ok::<_, Infallible>(response.map(|body| WatchedBody { body, _answering: answering }))
            })
        });
        // Where a Worker takes a connection over, as for a WebSocket, hyper parts with it and is done.
        let mut connection = pin!(self.0.serve_connection(stream, service).with_upgrades());
        let (mut ear, mut told, mut is_leaving) = (stop.ear(), pin!(stop.told()), false);
        let ended = poll_fn(|cx| {
            loop {
                if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                    return Poll::Ready(ended);
                }
                if watch.is_over(cx) {
                    return Poll::Ready(Ok(()));
                }
                if is_leaving || !ear.hears(told.as_mut(), cx) {
                    return Poll::Pending;
                }
                is_leaving = true;
                connection.as_mut().graceful_shutdown();
            }
        });
        Ok(ended.await?)
    }
}
