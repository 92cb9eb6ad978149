//! The proxy itself: CONNECT, and requests with an absolute URL.

use std::convert::Infallible;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CONNECTION, HeaderName, HeaderValue, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::allow::AllowList;
use super::forward::{NoWay, connect};
use super::refusals::Refusals;

/// Connections that one sandbox may have at a time; each costs the server two descriptors.
const CONNECTIONS_MAX: usize = 128;

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

/// A running proxy. Dropping it closes its connections.
#[derive(Debug)]
pub struct Egress {
    refusals: Arc<Refusals>,
    _stop: DropGuard,
}

#[derive(Clone)]
struct Proxy {
    allow: Arc<AllowList>,
    refusals: Arc<Refusals>,
    stop: CancellationToken,
}

impl Egress {
    /// Serves at `socket`, a name in `directory`, which must not exist yet. What is refused is told to `lines`.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn start(
        directory: &Path,
        socket: &str,
        allow: AllowList,
        lines: mpsc::Sender<String>,
    ) -> io::Result<Self> {
        let listener = bind(directory, socket)?;
        let stop = CancellationToken::new();
        let refusals = Arc::new(Refusals::new(lines));
        let proxy = Proxy { allow: Arc::new(allow), refusals: Arc::clone(&refusals), stop: stop.clone() };
        tokio::spawn(proxy.serve(listener));
        Ok(Self { refusals, _stop: stop.drop_guard() })
    }

    /// A line to end the log with, when not every refusal had one.
    pub fn summary(&self) -> Option<String> {
        self.refusals.summary()
    }
}

/// Binds a socket that everybody who gets at it may use, `socket` in `directory`. It binds by way of an open directory,
/// since the path of a socket may have 107 bytes at the most.
///
/// # Errors
/// The socket cannot be made.
pub fn bind(directory: &Path, socket: &str) -> io::Result<UnixListener> {
    let open = std::fs::File::open(directory)?;
    let short = Path::new("/proc/self/fd").join(open.as_raw_fd().to_string()).join(socket);
    let listener = UnixListener::bind(&short)?;
    // Who may reach it is a matter of the directories above it.
    std::fs::set_permissions(&short, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

impl Proxy {
    async fn serve(self, listener: UnixListener) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let stop = self.stop.clone();
        let accept = async {
            loop {
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
                let Ok((stream, _)) = listener.accept().await else { continue };
                let proxy = self.clone();
                tokio::spawn(async move {
                    let stop = proxy.stop.clone();
                    stop.run_until_cancelled(proxy.connection(stream, permit)).await;
                });
            }
        };
        stop.run_until_cancelled(accept).await;
    }

    async fn connection(self, stream: UnixStream, permit: tokio::sync::OwnedSemaphorePermit) {
        let permit = Arc::new(permit);
        let service = service_fn(move |request| {
            let (proxy, permit) = (self.clone(), Arc::clone(&permit));
            async move { Ok::<_, Infallible>(proxy.answer(request, permit).await) }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .preserve_header_case(true)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        if let Err(error) = served.await {
            tracing::debug!(%error, "a connection to the egress proxy broke");
        }
    }

    /// `permit` stays with a tunnel for as long as that is open.
    async fn answer(
        &self,
        request: Request<Incoming>,
        permit: Arc<tokio::sync::OwnedSemaphorePermit>,
    ) -> Answer {
        let answered = if request.method() == Method::CONNECT {
            self.tunnel(request, permit).await
        } else {
            self.forward(request).await
        };
        answered.unwrap_or_else(|(status, why)| text(status, format!("{why}\n")))
    }

    async fn tunnel(
        &self,
        request: Request<Incoming>,
        permit: Arc<tokio::sync::OwnedSemaphorePermit>,
    ) -> Result<Answer, (StatusCode, String)> {
        let no_target = || (StatusCode::BAD_REQUEST, "CONNECT needs host:port".to_owned());
        let authority = request.uri().authority().cloned().ok_or_else(no_target)?;
        let port = authority.port_u16().ok_or_else(no_target)?;
        let mut upstream = self.connect(&authority, port).await?;
        let stop = self.stop.clone();
        tokio::spawn(async move {
            let tunnel = async {
                if let Ok(client) = hyper::upgrade::on(request).await {
                    let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut upstream).await;
                }
            };
            stop.run_until_cancelled(tunnel).await;
            drop(permit);
        });
        Ok(Response::new(body("")))
    }

    async fn forward(&self, mut request: Request<Incoming>) -> Result<Answer, (StatusCode, String)> {
        let absolute = request.uri().scheme_str() == Some("http");
        let authority = request.uri().authority().filter(|_| absolute).cloned();
        let authority = authority.ok_or_else(|| {
            (StatusCode::BAD_REQUEST, "this is a proxy: it wants CONNECT or an http:// URL".into())
        })?;
        let stream = self.connect(&authority, authority.port_u16().unwrap_or(80)).await?;
        let broken = |error: hyper::Error| (StatusCode::BAD_GATEWAY, format!("{authority}: {error}"));
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(broken)?;
        let stop = self.stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(connection).await });
        to_origin_form(&mut request, &authority);
        let mut response = sender.send_request(request).await.map_err(broken)?;
        drop_hop_headers(response.headers_mut());
        Ok(response.map(BodyExt::boxed))
    }

    async fn connect(
        &self,
        authority: &Authority,
        port: u16,
    ) -> Result<tokio::net::TcpStream, (StatusCode, String)> {
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        match connect(&self.allow, host, port).await {
            Ok(stream) => {
                // Tunnels carry handshakes, which wait for small packets.
                let _ = stream.set_nodelay(true);
                Ok(stream)
            }
            Err(NoWay::Refused(reason)) => {
                let line = format!("network: refused {host}:{port}: {reason}");
                self.refusals.note(line.clone()).await;
                Err((StatusCode::FORBIDDEN, line))
            }
            Err(NoWay::Failed(reason)) => Err((StatusCode::BAD_GATEWAY, format!("network: {reason}"))),
        }
    }
}

/// What a server expects where a proxy gets the whole URL. The host is the one that was judged, whatever the
/// header says.
pub fn to_origin_form<B>(request: &mut Request<B>, authority: &Authority) {
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    if let Ok(uri) = path.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    let headers = request.headers_mut();
    drop_hop_headers(headers);
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    if let Ok(host) = HeaderValue::from_str(host) {
        headers.insert(http::header::HOST, host);
    }
}

/// Headers that concern the connection and not the message.
pub fn drop_hop_headers(headers: &mut http::HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let known = [CONNECTION, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE];
    let proxy = [HeaderName::from_static("proxy-connection"), HeaderName::from_static("keep-alive")];
    for name in named.into_iter().chain(known).chain(proxy) {
        headers.remove(name);
    }
}

fn text(status: StatusCode, why: String) -> Answer {
    let mut response = Response::new(body(why));
    *response.status_mut() = status;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn body(content: impl Into<Bytes>) -> BoxBody<Bytes, hyper::Error> {
    Full::new(content.into()).map_err(|never: Infallible| match never {}).boxed()
}
