//! Where a request goes, and the connection there.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, io};

use http::Uri;
use http::uri::Authority;
use offprint_sandbox::AllowList;
use offprint_sandbox::egress::{NoWay, connect as connect_judged};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// The server that a URL names.
pub(super) struct Target {
    /// As it goes into the `Host` header.
    pub(super) authority: Authority,
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    is_tls: bool,
}

/// Why there is no connection.
pub(super) enum NoOrigin {
    /// It is not open to Functions.
    Refused(String),
    /// The network or the server failed.
    Failed(String),
}

/// A connection.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Target {
    /// The server of an absolute URL.
    pub(super) fn of(uri: &Uri) -> Result<Self, String> {
        let (is_tls, port) = match uri.scheme_str() {
            Some("https" | "wss") => (true, 443),
            Some("http" | "ws") => (false, 80),
            _ => return Err("only http:// and https:// URLs can be fetched".into()),
        };
        let authority = uri.authority().ok_or("the URL names no host")?;
        let port = authority.port_u16().unwrap_or(port);
        Ok(Self { is_tls, ..Self::plain(authority, port) })
    }

    /// A server to which bytes go as they are.
    pub(super) fn plain(authority: &Authority, port: u16) -> Self {
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Self { authority: authority.clone(), host, port, is_tls: false }
    }
}

/// Connects to one of the target's addresses that are open to Functions.
pub(super) async fn connect(
    allow: &AllowList,
    tls: &Result<Arc<ClientConfig>, Arc<str>>,
    target: &Target,
) -> Result<Stream, NoOrigin> {
    let stream = connect_judged(allow, &target.host, target.port).await.map_err(|error| match error {
        NoWay::Refused(reason) => NoOrigin::Refused(reason),
        NoWay::Failed(reason) => NoOrigin::Failed(reason),
    })?;
    let _ = stream.set_nodelay(true);
    if !target.is_tls {
        return Ok(Stream::Plain(stream));
    }
    let host = &target.host;
    let failed = |what: &dyn fmt::Display| NoOrigin::Failed(format!("TLS with {host}: {what}"));
    let tls = tls.as_ref().map_err(|reason| failed(reason))?;
    let name = ServerName::try_from(host.clone()).map_err(|error| failed(&error))?;
    let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
    let stream = timeout(HANDSHAKE_TIMEOUT, handshake).await.map_err(|_| failed(&"no answer"))?;
    Ok(Stream::Tls(Box::new(stream.map_err(|error| failed(&error))?)))
}

/// Trusts what the machine trusts.
pub(super) fn system_tls() -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
