//! The proxy against servers of this machine, which it has to be allowed to reach.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{Allowance, Egress};
use crate::body::{Body, empty, read_whole};
use crate::workerd::FunctionLimits;

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn tls(trusted: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for name in trusted {
        roots.add(CertificateDer::from_pem_file(fixture(name)).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    builder.with_root_certificates(roots).with_no_client_auth()
}

/// A server that speaks TLS and answers one request of each connection with what it was sent.
async fn echo_over_tls() -> u16 {
    let certificate = CertificateDer::from_pem_file(fixture("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            let _ = stream.write_all(&[head.as_bytes(), &request[..length]].concat()).await;
        }
    });
    port
}

async fn ask(egress: &Egress, limits: &FunctionLimits, url: &str) -> (StatusCode, String) {
    ask_with(egress, &Arc::new(Allowance::new(limits)), url).await
}

async fn ask_with(egress: &Egress, allowance: &Arc<Allowance>, url: &str) -> (StatusCode, String) {
    let request =
        Request::get(url).header("x-own", "1").header("proxy-connection", "x").body(empty()).unwrap();
    let response: Response<Body> = egress.answer(allowance, request).await;
    let status = response.status();
    let text: Bytes = read_whole(response.into_body(), 1 << 20).await.unwrap_or_default();
    (status, String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn tls_is_spoken_with_the_name_in_the_url() {
    let port = echo_over_tls().await;
    let host = "localhost";
    let allow = format!("{host}:{port}");
    let egress = Egress::trusting(allow.parse().unwrap(), tls(&["ca.pem"]));
    let limits = FunctionLimits::default();
    let (status, text) = ask(&egress, &limits, &format!("https://{host}:{port}/a?b=c")).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(text.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{text}");
    let lower = text.to_lowercase();
    assert!(lower.contains(&format!("host: {host}:{port}\r\n")) && lower.contains("x-own: 1"), "{text}");
    assert!(!lower.contains("proxy-connection"), "{text}");
    // A certificate that nobody trusts.
    let distrusting = Egress::trusting(allow.parse().unwrap(), tls(&[]));
    let (status, text) = ask(&distrusting, &limits, &format!("https://{host}:{port}/")).await;
    assert!(status == StatusCode::BAD_GATEWAY && text.contains("TLS with localhost"), "{text}");
}

#[tokio::test]
async fn what_is_not_public_is_refused_in_every_disguise() {
    let egress = Egress::trusting(Default::default(), tls(&[]));
    let limits = FunctionLimits::default();
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "100.64.0.1",
    ] {
        for scheme in ["http", "https"] {
            let (status, text) = ask(&egress, &limits, &format!("{scheme}://{host}:8443/")).await;
            assert_eq!(status, StatusCode::BAD_GATEWAY, "{host}");
            assert!(text.starts_with("network: refused"), "{host}: {text}");
        }
    }
    let (status, text) = ask(&egress, &limits, "ftp://example.com/").await;
    assert!(status == StatusCode::BAD_REQUEST && text.contains("http://"), "{text}");
}

#[tokio::test]
async fn an_allowance_ends() {
    let egress = Egress::trusting(Default::default(), tls(&[]));
    let limits = FunctionLimits { subrequests_a_minute: 2, ..FunctionLimits::default() };
    let allowance = Arc::new(Allowance::new(&limits));
    for status in [StatusCode::BAD_GATEWAY, StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE] {
        let (answered, text) = ask_with(&egress, &allowance, "http://127.0.0.1/").await;
        assert_eq!(answered, status, "{text}");
    }
    let limits = FunctionLimits { connections: 1, ..FunctionLimits::default() };
    let allowance = Arc::new(Allowance::new(&limits));
    let held = allowance.spend().unwrap_or_else(|why| panic!("{why}"));
    let (status, text) = ask_with(&egress, &allowance, "http://127.0.0.1/").await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && text.contains("more than 1 connections"), "{text}");
    drop(held);
    assert_eq!(ask_with(&egress, &allowance, "http://127.0.0.1/").await.0, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn bytes_are_counted() {
    let port = echo_over_tls().await;
    let host = "localhost";
    let egress = Egress::trusting(format!("{host}:{port}").parse().unwrap(), tls(&["ca.pem"]));
    let limits = FunctionLimits { subrequest_bytes_a_minute: 10, ..FunctionLimits::default() };
    let allowance = Arc::new(Allowance::new(&limits));
    let url = format!("https://{host}:{port}/");
    assert_eq!(ask_with(&egress, &allowance, &url).await.0, StatusCode::OK);
    let (status, text) = ask_with(&egress, &allowance, &url).await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && text.contains("10 bytes"), "{text}");
}
