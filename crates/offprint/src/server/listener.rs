//! The one listener: accepts connections and hands each request to the site or the platform it is for.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use offprint_edge::Edge;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long a client may take to send the head of a request, and how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// Where requests go.
pub(crate) struct Doors {
    /// Answers for sites.
    pub(crate) edge: Edge,
    /// Answers for everything else: the APIs, health.
    pub(crate) platform: axum::Router,
}

type Body = http_body_util::Either<offprint_edge::EdgeBody, UnsyncBoxBody<Bytes, axum::Error>>;

impl Doors {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        if self.edge.owns(&request) {
            return Ok(self.edge.serve(request).await.map(http_body_util::Either::Left));
        }
        let answer = match self.platform.clone().oneshot(request.map(axum::body::Body::new)).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        Ok(answer.map(|body| http_body_util::Either::Right(body.boxed_unsync())))
    }
}

/// Serves until `stop`, then lets requests in flight finish for at most `grace`.
pub(crate) async fn serve(
    listener: TcpListener,
    doors: Arc<Doors>,
    stop: CancellationToken,
    grace: Duration,
) {
    let graceful = GracefulShutdown::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connect(stream, &doors, &graceful),
                Err(error) => {
                    // Out of file descriptors, mostly: give the open connections time to end.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still in flight when the shutdown grace ended");
    }
}

fn connect(stream: TcpStream, doors: &Arc<Doors>, graceful: &GracefulShutdown) {
    // Answers go out in one write as a rule; waiting for more to say would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let doors = Arc::clone(doors);
    let service = service_fn(move |request| {
        let doors = Arc::clone(&doors);
        async move { doors.answer(request).await }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).pipeline_flush(true);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(250);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = pin!(connection).await {
            tracing::debug!(%error, "a connection ended badly");
        }
    });
}
