//! The server speaks TLS with a certificate of the operator's, and takes a renewed one without a restart.

use std::fs;
use std::time::Duration;

use reqwest::tls::TlsInfo;
use reqwest::{Client, Version};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Site, TestDirectory, TestServer, client, fixture, host_of};

const HOST: &str = "demo.pages.localhost";

/// A server with the pair `first`, in files that a test may change.
async fn server() -> (TestServer, TestDirectory) {
    let files = TestDirectory::new();
    install(&files, "first");
    let path = |name: &str| files.path().join(name).display().to_string();
    let settings = [("OFFPRINT_TLS_CERT", &*path("cert.pem")), ("OFFPRINT_TLS_KEY", &*path("key.pem"))];
    let server = TestServer::start_with(&settings).await;
    let api = server.api();
    api.create_project("demo").await;
    Site::page("front").asset("/large.bin", large()).deploy(&api, "demo").await;
    (server, files)
}

/// More than any buffer on the way holds.
fn large() -> Vec<u8> {
    (0..10_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn install(files: &TestDirectory, pair: &str) {
    for (kind, name) in [("pem", "cert.pem"), ("key", "key.pem")] {
        files.write(name, fs::read(fixture(&format!("tls/{pair}.{kind}"))).unwrap());
    }
}

fn url(server: &TestServer) -> String {
    format!("https://{HOST}:{}/", server.address().port())
}

/// A client that finds the site at the server, tells the certificate, and has no connection yet.
fn visitor(server: &TestServer) -> reqwest::ClientBuilder {
    client().resolve(HOST, server.address()).tls_info(true)
}

/// Which of the pairs a new connection is shown.
async fn shown(server: &TestServer) -> &'static str {
    let answer = visitor(server).build().unwrap().get(url(server)).send().await.unwrap();
    let certificate = answer.extensions().get::<TlsInfo>().unwrap().peer_certificate().unwrap();
    let is = |pair: &&&str| {
        let file = fixture(&format!("tls/{pair}.pem"));
        &*CertificateDer::from_pem_file(file).unwrap() == certificate
    };
    ["first", "renewed"].iter().find(is).unwrap()
}

#[tokio::test]
async fn sites_and_api_answer_over_tls_in_both_protocols() {
    let (server, _files) = server().await;
    assert!(server.base_url().starts_with("https://"));
    for (only, version) in [(false, Version::HTTP_2), (true, Version::HTTP_11)] {
        let visitor = visitor(&server);
        let visitor = if only { visitor.http1_only() } else { visitor }.build().unwrap();
        let page = visitor.get(url(&server)).send().await.unwrap();
        assert_eq!((page.version(), page.status().as_u16()), (version, 200));
        assert_eq!(page.text().await.unwrap(), "front");
        let bytes = visitor.get(format!("{}large.bin", url(&server))).send().await.unwrap().bytes();
        assert!(bytes.await.unwrap() == large(), "{version:?}");
    }
    // What the API says of the sites' addresses has the scheme of the listener.
    let projects = server.api().get(&crate::support::projects()).ok().await;
    let deployed = projects[0]["latest_deployment"]["url"].as_str().unwrap();
    assert!(deployed.starts_with("https://"), "{deployed}");
    assert_eq!(server.page(host_of(deployed), "/").await, "front");
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_at_a_hangup_and_a_broken_one_is_not() {
    let (server, files) = server().await;
    let early: Client = visitor(&server).build().unwrap();
    early.get(url(&server)).send().await.unwrap();
    assert_eq!(shown(&server).await, "first");

    files.write("cert.pem", "-----BEGIN CERTIFICATE-----\nbroken\n");
    server.signal("HUP");
    logged(&server, "the old one stays").await;
    assert_eq!(shown(&server).await, "first");
    // A certificate whose key has not come yet is no better.
    files.write("cert.pem", fs::read(fixture("tls/renewed.pem")).unwrap());
    server.signal("HUP");
    logged(&server, "does not fit").await;
    assert_eq!(shown(&server).await, "first");

    install(&files, "renewed");
    server.signal("HUP");
    logged(&server, "a new certificate is in use").await;
    assert_eq!(shown(&server).await, "renewed");
    // A connection that was open goes on.
    assert_eq!(early.get(url(&server)).send().await.unwrap().text().await.unwrap(), "front");
}

/// Waits until the log has this text in it.
async fn logged(server: &TestServer, text: &str) {
    for _ in 0..1500 {
        if server.log().contains(text) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{text:?} is not in the log");
}

#[tokio::test]
async fn clients_that_do_not_speak_tls_are_dropped_and_hold_up_nobody() {
    let (server, _files) = server().await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(server.address()).await.unwrap());
    }
    for bytes in
        [&b"GET / HTTP/1.1\r\nHost: demo.pages.localhost\r\n\r\n"[..], b"\x16\x03\x01\xff\xff\x01\0", b"\0"]
    {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.windows(4).any(|window| window == b"HTTP"), "{answer:?}");
    }
    assert_eq!(server.page(HOST, "/").await, "front");
}
