//! Bytes on the wire that no client library sends: each is answered, and nothing else suffers.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Site, TestServer, project};

const HOST: &str = "demo.pages.localhost";

async fn server_with_site() -> TestServer {
    server_with(&[]).await
}

async fn server_with(settings: &[(&str, &str)]) -> TestServer {
    let server = TestServer::start_with(settings).await;
    let api = server.api();
    api.create_project("demo").await;
    Site::page("front").deploy(&api, "demo").await;
    server
}

/// Sends these bytes and reads until the server closes, or falls silent.
async fn exchange(server: &TestServer, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of the first answer to a request of this line and these headers.
async fn status(server: &TestServer, line: &str, headers: &[&str]) -> u16 {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let answer = exchange(server, format!("{line}\r\n{headers}Connection: close\r\n\r\n").as_bytes()).await;
    let status = answer.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    status.unwrap_or_else(|| panic!("{line:.60} {headers:.60}: {answer:?}"))
}

#[tokio::test]
async fn what_is_no_request_is_answered_so() {
    let server = server_with_site().await;
    let host = format!("Host: {HOST}");
    let long = "a".repeat(70_000);
    let many: Vec<String> = (0..200).map(|n| format!("X-{n}: y")).chain([host.clone()]).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (line, headers, expected) in [
        ("GET /a\0b HTTP/1.1".to_owned(), &[host.as_str()][..], 400),
        ("GET /a b HTTP/1.1".into(), &[&host], 400),
        ("G@T / HTTP/1.1".into(), &[&host], 400),
        ("GET / HTTP/7.0".into(), &[&host], 400),
        ("GET / HTTP/1.1".into(), &[&host, "X: a\0b"], 400),
        ("POST / HTTP/1.1".into(), &[&host, "Content-Length: 4", "Content-Length: 5"], 400),
        ("POST / HTTP/1.1".into(), &[&host, "Content-Length: -4"], 400),
        (format!("GET /{long} HTTP/1.1"), &[&host], 414),
        ("GET / HTTP/1.1".into(), &many, 431),
    ] {
        assert_eq!(status(&server, &line, headers).await, expected, "{line:.60}");
    }
    assert_eq!(server.page(HOST, "/").await, "front");
}

#[tokio::test]
async fn the_host_of_a_request_must_be_clear() {
    let server = server_with_site().await;
    for (host, expected) in [
        (HOST, 200),
        ("DEMO.Pages.LOCALHOST", 200),
        ("demo.pages.localhost.", 200),
        ("demo.pages.localhost.:80", 200),
        ("unknown.pages.localhost", 404),
        ("demo..pages.localhost", 404),
        ("[::1]:80", 200),
        ("[::1", 400),
        ("a b", 400),
        ("user@demo.pages.localhost", 400),
        ("demo.pages.localhost/", 400),
    ] {
        assert_eq!(status(&server, "GET / HTTP/1.1", &[&format!("Host: {host}")]).await, expected, "{host}");
    }
    let (site, other) = (format!("Host: {HOST}"), "Host: 127.0.0.1");
    assert_eq!(status(&server, "GET / HTTP/1.1", &[]).await, 400);
    assert_eq!(status(&server, "GET / HTTP/1.1", &[&site, other]).await, 400);
    assert_eq!(status(&server, "GET / HTTP/1.1", &[&site, &site]).await, 400);
    assert_eq!(status(&server, "GET / HTTP/1.0", &[]).await, 200);
    // A target with a host of its own wins over the header.
    let absolute = format!("GET http://{HOST}/nothing.txt HTTP/1.1");
    assert!(exchange(&server, format!("{absolute}\r\n{other}\r\n\r\n").as_bytes()).await.contains("front"));
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order_and_without_waiting_for_more() {
    let server = server_with_site().await;
    let site = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let health = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    // The last one is not complete: those before it must not wait for the rest.
    let answer = exchange(&server, format!("{}{health}{site}GET / HT", site.repeat(20)).as_bytes()).await;
    assert_eq!((answer.matches("HTTP/1.1 200 OK").count(), answer.matches("front").count()), (22, 21));
    assert!(answer.rfind("ok\n").unwrap() < answer.rfind("front").unwrap());
}

#[tokio::test]
async fn paths_that_climb_lead_nowhere() {
    let server = server_with_site().await;
    let site = format!("Host: {HOST}");
    for path in
        ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd", "/%00"]
    {
        let answer = exchange(
            &server,
            format!("GET {path} HTTP/1.1\r\n{site}\r\nConnection: close\r\n\r\n").as_bytes(),
        )
        .await;
        assert!(!answer.contains("root:"), "{path}: {answer}");
    }
    let bearer = format!("Authorization: Bearer {}", crate::support::TOKEN);
    for path in ["..%2fdemo", "%00", "%ff", "demo%00", "..", "DEMO", "d%C3%A9mo"] {
        let line = format!("GET /client/v4{} HTTP/1.1", project(path, ""));
        assert_eq!(status(&server, &line, &["Host: 127.0.0.1", &bearer]).await, 404, "{path}");
    }
    for path in ["/nowhere", "//client/v4/user", "/client"] {
        let answer = exchange(&server, format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.0 404") && answer.contains("/client/v4"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn no_custom_domain_takes_the_host_of_the_api() {
    let server = server_with(&[("OFFPRINT_PUBLIC_URL", "http://api.example.com")]).await;
    let host = "api.example.com";
    let api = server.api();
    api.post(&project("demo", "/domains")).json(&json!({ "name": host })).send().await;
    let activated = std::process::Command::new(env!("CARGO_BIN_EXE_offprint"))
        .args(["domain", "activate", host, "--data"])
        .arg(server.data())
        .output()
        .unwrap();
    // Whether it could be added and activated or not, the API answers there.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let page = server.page(host, "/").await;
    assert!(page.contains("This is an Offprint server"), "{page} {activated:?}");
    assert_eq!(server.site(host, "/client/v4/user").await.status(), 400);
}
