//! The only way from Functions to the network: an HTTP proxy on a socket of each process.
//!
//! `fetch("https://…")` comes here in clear, as `GET https://… HTTP/1.1` without a `Host`, and `connect()` as CONNECT. The
//! proxy looks the name up, judges the addresses as the one for builds does ([`offprint_sandbox::egress`]), connects to one
//! that it has judged, and speaks TLS itself. A redirect is followed by the Function's next request, and so judged anew.

mod allowance;
mod origin;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use offprint_sandbox::AllowList;
use offprint_sandbox::egress::{drop_hop_headers, to_origin_form};
use rustls::ClientConfig;

pub(crate) use allowance::Allowance;
use allowance::Spent;
use origin::{NoOrigin, Target};

use crate::body::{Body, full};

/// The proxy. Clones share everything.
#[derive(Clone)]
pub(crate) struct Egress {
    allow: Arc<AllowList>,
    /// The reason when there are no certificates to trust.
    tls: Result<Arc<ClientConfig>, Arc<str>>,
}

impl Egress {
    /// A proxy that trusts the certificates which the machine trusts.
    pub(crate) fn new(allow: AllowList) -> Self {
        let tls = origin::system_tls().map_err(|error| {
            tracing::warn!(%error, "Functions cannot fetch https:// URLs: no certificates to trust were found");
            Arc::from(error.to_string())
        });
        Self { allow: Arc::new(allow), tls }
    }

    #[cfg(test)]
    fn trusting(allow: AllowList, tls: ClientConfig) -> Self {
        Self { allow: Arc::new(allow), tls: Ok(Arc::new(tls)) }
    }

    /// Answers one request of a process.
    pub(crate) async fn answer(&self, allowance: &Arc<Allowance>, request: Request<Body>) -> Response<Body> {
        let spent = match allowance.spend() {
            Ok(spent) => spent,
            Err(why) => return refusal(StatusCode::SERVICE_UNAVAILABLE, &why),
        };
        let answered = if request.method() == Method::CONNECT {
            self.tunnel(spent, request).await
        } else {
            self.forward(spent, request).await
        };
        answered.unwrap_or_else(|(status, why)| refusal(status, &why))
    }

    async fn tunnel(
        &self,
        spent: Spent,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, (StatusCode, String)> {
        let no_target = || (StatusCode::BAD_REQUEST, "connect() needs a host and a port".to_owned());
        let authority = request.uri().authority().cloned().ok_or_else(no_target)?;
        let port = authority.port_u16().ok_or_else(no_target)?;
        let mut upstream = self.connect(&Target::plain(&authority, port)).await?;
        let client = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            if let Ok(client) = client.await {
                let mut client = spent.counted(TokioIo::new(client));
                let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
            }
        });
        Ok(Response::new(crate::body::empty()))
    }

    async fn forward(
        &self,
        spent: Spent,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, (StatusCode, String)> {
        let target = Target::of(request.uri()).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
        let stream = self.connect(&target).await?;
        let broken =
            |error: hyper::Error| (StatusCode::BAD_GATEWAY, format!("{}: {error}", target.authority));
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(broken)?;
        tokio::spawn(connection.with_upgrades());
        let wish = request.headers().get(UPGRADE).cloned();
        let client = wish.is_some().then(|| hyper::upgrade::on(&mut request));
        request = request.map(|body| spent.clone().counted_body(body));
        prepare(&mut request, &target.authority, wish);
        let mut response = sender.send_request(request).await.map_err(broken)?;
        if let Some(client) = client.filter(|_| response.status() == StatusCode::SWITCHING_PROTOCOLS) {
            crate::upgrade::join(client, hyper::upgrade::on(&mut response), Some(spent));
            return Ok(response.map(|_| crate::body::empty()));
        }
        drop_hop_headers(response.headers_mut());
        Ok(response.map(|body| spent.counted_body(body)))
    }

    async fn connect(&self, target: &Target) -> Result<origin::Stream, (StatusCode, String)> {
        let (host, port) = (&target.host, target.port);
        origin::connect(&self.allow, &self.tls, target).await.map_err(|error| match error {
            NoOrigin::Refused(reason) => {
                tracing::debug!(host, port, reason, "refused a Function the network");
                (StatusCode::BAD_GATEWAY, format!("network: refused {host}:{port}: {reason}"))
            }
            NoOrigin::Failed(reason) => (StatusCode::BAD_GATEWAY, format!("network: {reason}")),
        })
    }
}

/// What an origin expects where a proxy gets the whole URL.
fn prepare(request: &mut Request<Body>, authority: &Authority, upgrade: Option<HeaderValue>) {
    to_origin_form(request, authority);
    *request.version_mut() = http::Version::HTTP_11;
    if let Some(upgrade) = upgrade {
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, upgrade);
    }
}

fn refusal(status: StatusCode, why: &str) -> Response<Body> {
    let mut response = Response::new(full(format!("{why}\n")));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, plain);
    response
}
