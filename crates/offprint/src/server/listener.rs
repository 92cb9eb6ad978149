//! The one listener: accepts connections and hands each request to the site or the platform it is for.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;
use http::{Request, Response, StatusCode, Version, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
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
        if !is_host_sound(&request) {
            return Ok(bad_host());
        }
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

/// Whether it is clear which host the request is for. HTTP/1.1 demands one `Host` and an answer of 400
/// otherwise (RFC 9112, 3.2): a proxy in front may have read the other one.
fn is_host_sound<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => request.version() != Version::HTTP_11,
        (Some(host), None) => {
            let bytes = host.as_bytes();
            bytes.is_empty() || (!bytes.contains(&b'@') && Authority::try_from(bytes).is_ok())
        }
        (Some(_), Some(_)) => false,
    }
}

fn bad_host() -> Response<Body> {
    let text = Full::new(Bytes::from_static(b"The request needs one valid Host header.\n"));
    let body = text.map_err(|never: Infallible| match never {}).boxed_unsync();
    let mut response = Response::new(http_body_util::Either::Right(body));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
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
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(250);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = pin!(connection).await {
            tracing::debug!(%error, "a connection ended badly");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(version: Version, hosts: &[&[u8]]) -> bool {
        let mut request = Request::new(());
        *request.version_mut() = version;
        for host in hosts {
            request.headers_mut().append(header::HOST, http::HeaderValue::from_bytes(host).unwrap());
        }
        is_host_sound(&request)
    }

    #[test]
    fn a_request_has_one_host_that_can_be_one() {
        for host in ["a.example", "A.Example.:80", "127.0.0.1", "[::1]", "[::1]:80", "localhost:", ""] {
            assert!(sound(Version::HTTP_11, &[host.as_bytes()]), "{host}");
        }
        for host in ["a b", "[::1", "a.example/", "user@a.example", "%61.example", "\u{fc}.example"] {
            assert!(!sound(Version::HTTP_11, &[host.as_bytes()]), "{host}");
        }
        assert!(!sound(Version::HTTP_11, &[]));
        assert!(!sound(Version::HTTP_11, &[b"a.example", b"a.example"]));
        // There the host may be in the target, or nowhere.
        assert!(sound(Version::HTTP_2, &[]) && sound(Version::HTTP_10, &[]));
    }
}
