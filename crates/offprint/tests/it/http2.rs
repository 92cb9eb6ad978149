//! HTTP/2 at the front door, with a client that sees every frame.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Response};
use offprint_wire::error_code::ErrorCode;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::support::{Site, TOKEN, TestServer, client, skip, upload_body, upload_token};

const HOST: &str = "demo.pages.localhost";

/// Bytes that tell where in the asset they are.
fn large(length: usize) -> Vec<u8> {
    (0..length as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

async fn server_with(site: Site) -> TestServer {
    let server = TestServer::start().await;
    server.api().create_project("demo").await;
    site.deploy(&server.api(), "demo").await;
    server
}

/// A connection: clones of the sender share it. The task ends with it, and says how.
struct Connection {
    sender: SendRequest<Bytes>,
    task: JoinHandle<Result<(), h2::Error>>,
}

impl Connection {
    /// With a narrow window for each stream, in one that leaves room for others.
    async fn open(server: &TestServer) -> Self {
        let mut builder = Builder::new();
        builder.initial_window_size(60_000).initial_connection_window_size(1 << 20);
        Self::open_with(server, &builder).await
    }

    async fn open_with(server: &TestServer, builder: &Builder) -> Self {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let (sender, connection) = builder.handshake(stream).await.unwrap();
        Self { sender, task: tokio::spawn(connection) }
    }

    /// Sends a request; the stream is for its body, where it has one.
    async fn send(&self, request: Request<()>, ends: bool) -> (ResponseFuture, SendStream<Bytes>) {
        self.sender.clone().ready().await.unwrap().send_request(request, ends).unwrap()
    }

    async fn get(&self, path: &str) -> Response<RecvStream> {
        self.send(get(path), true).await.0.await.unwrap()
    }

    async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        String::from_utf8(whole(response.into_body()).await).unwrap()
    }
}

fn request(method: Method, host: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("http://{host}{path}"))
}

fn get(path: &str) -> Request<()> {
    request(Method::GET, HOST, path).body(()).unwrap()
}

async fn whole(mut body: RecvStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        bytes.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len()).unwrap();
    }
    bytes
}

async fn json_of(response: Response<RecvStream>) -> Value {
    serde_json::from_slice(&whole(response.into_body()).await).unwrap()
}

#[tokio::test]
async fn answers_have_what_every_answer_has() {
    let rules = "/*\n  Keep-Alive: timeout=5\n  Proxy-Connection: x\n";
    let server = server_with(Site::page("front").file("_headers", rules)).await;
    let connection = Connection::open(&server).await;
    let front = connection.get("/").await;
    assert_eq!((front.status().as_u16(), &front.headers()["content-length"]), (200, &"5".parse().unwrap()));
    let date = front.headers()["date"].to_str().unwrap().to_owned();
    assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
    // What speaks of the connection would make clients break it off.
    for name in ["keep-alive", "proxy-connection", "connection", "transfer-encoding"] {
        assert!(!front.headers().contains_key(name), "{name}");
    }
    let tag = front.headers()["etag"].clone();
    assert_eq!(whole(front.into_body()).await, b"front");

    let same = request(Method::GET, HOST, "/").header("if-none-match", tag).body(()).unwrap();
    let same = connection.send(same, true).await.0.await.unwrap();
    assert_eq!((same.status().as_u16(), same.body().is_end_stream()), (304, true));
    assert!(same.headers().contains_key("date") && !same.headers().contains_key("content-length"));

    let head = request(Method::HEAD, HOST, "/").body(()).unwrap();
    let head = connection.send(head, true).await.0.await.unwrap();
    assert_eq!((head.status().as_u16(), head.body().is_end_stream()), (200, true));
    assert_eq!(head.headers()["content-type"], "text/html; charset=utf-8");

    let health = request(Method::GET, "127.0.0.1", "/healthz").body(()).unwrap();
    let health = connection.send(health, true).await.0.await.unwrap();
    assert_eq!(health.headers()["content-length"], "3");
    assert_eq!(whole(health.into_body()).await, b"ok\n");
}

#[tokio::test]
async fn a_large_asset_arrives_whole_however_slowly_it_is_read() {
    let bytes = large(10_000_000);
    let server = server_with(Site::page("front").asset("/large.bin", &bytes)).await;
    let connection = Connection::open(&server).await;
    let response = connection.get("/large.bin").await;
    assert_eq!(response.headers()["content-length"], "10000000");
    let mut slow = response.into_body();
    let mut received = Vec::new();
    while let Some(piece) = slow.data().await {
        let piece = piece.unwrap();
        received.extend_from_slice(&piece);
        if received.len() < 500_000 {
            // Nothing of this one can be sent meanwhile, but others are answered.
            assert_eq!(connection.page("/").await, "front");
        }
        slow.flow_control().release_capacity(piece.len()).unwrap();
    }
    assert!(received == bytes);
    // A wide window takes the other way through the server: no waiting for room.
    let mut wide = Builder::new();
    wide.initial_window_size(16 << 20).initial_connection_window_size(16 << 20).max_frame_size(1 << 20);
    let connection = Connection::open_with(&server, &wide).await;
    assert!(whole(connection.get("/large.bin").await.into_body()).await == bytes);
}

#[tokio::test]
async fn two_hundred_requests_at_once_are_all_answered() {
    let bytes = large(300_000);
    let server = server_with(Site::page("front").asset("/large.bin", &bytes)).await;
    let connection = Connection::open(&server).await;
    let mut answers = Vec::new();
    for n in 0..200 {
        let path = if n % 10 == 0 { "/large.bin" } else { "/" };
        answers.push((n, connection.send(get(path), true).await.0));
    }
    let read = answers.into_iter().map(|(n, answer)| async move {
        let body = whole(answer.await.unwrap().into_body()).await;
        (n, body)
    });
    for (n, body) in futures_util::future::join_all(read).await {
        assert!(if n % 10 == 0 { body == bytes } else { body == b"front" }, "{n}");
    }
}

#[tokio::test]
async fn answers_that_are_taken_back_leave_the_others_alone() {
    let server = server_with(Site::page("front").asset("/large.bin", large(5_000_000))).await;
    let connection = Connection::open(&server).await;
    for n in 0..20 {
        let (answer, mut stream) = connection.send(get("/large.bin"), true).await;
        if n % 2 == 0 {
            // Half of them in the middle of the body.
            let mut body = answer.await.unwrap().into_body();
            body.data().await.unwrap().unwrap();
            stream.send_reset(Reason::CANCEL);
        } else {
            stream.send_reset(Reason::CANCEL);
        }
    }
    assert_eq!(connection.page("/").await, "front");
    let body = whole(connection.get("/large.bin").await.into_body()).await;
    assert!(body == large(5_000_000), "the window is free again");
}

#[tokio::test]
async fn bodies_that_nobody_reads_hold_up_nobody() {
    let server = server_with(Site::page("front")).await;
    let connection = Connection::open(&server).await;
    for host in [HOST, "127.0.0.1"] {
        for _ in 0..30 {
            let post = request(Method::POST, host, "/nothing").body(()).unwrap();
            let (answer, mut stream) = connection.send(post, false).await;
            // As much as the windows of a few let through.
            stream.send_data(vec![b'x'; 200_000].into(), false).unwrap();
            let status = answer.await.unwrap().status().as_u16();
            assert!([404, 405].contains(&status), "{status}");
        }
    }
    assert_eq!(connection.page("/").await, "front");
}

#[tokio::test]
async fn a_site_is_deployed_through_one_connection() {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    let jwt = upload_token(&api, "demo").await;
    let bytes = large(20 << 20);
    let body = upload_body(&[("/large.bin", &bytes)]).to_string();
    let http2 = client().http2_prior_knowledge().build().unwrap();
    let url = format!("{}/pages/assets/upload", server.base_url());
    let send = || http2.post(&url).bearer_auth(&jwt).body(body.clone()).send();
    for answer in futures_util::future::join_all([send(), send(), send()]).await {
        let answer: Value = answer.unwrap().json().await.unwrap();
        assert_eq!(answer["success"], true, "{answer}");
    }
    let refused = http2.post(&url).bearer_auth("nobody").body(body.clone()).send().await.unwrap();
    let refused: Value = refused.json().await.unwrap();
    assert_eq!(refused["errors"][0]["code"], ErrorCode::AuthorizationFailed.number());
    Site::new().asset("/large.bin", &bytes).deploy(&api, "demo").await;
    assert!(server.site(HOST, "/large.bin").await.bytes().await.unwrap() == bytes);
}

#[tokio::test]
async fn half_an_upload_is_none() {
    let server = TestServer::start().await;
    let connection = Connection::open(&server).await;
    let post = request(Method::POST, "127.0.0.1", "/client/v4/pages/assets/check-missing")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(())
        .unwrap();
    let (answer, mut stream) = connection.send(post, false).await;
    stream.send_data(Bytes::from_static(b"{\"hashes\":[]}"), false).unwrap();
    stream.send_reset(Reason::CANCEL);
    assert!(answer.await.is_err());
    let health = request(Method::GET, "127.0.0.1", "/healthz").body(()).unwrap();
    assert_eq!(connection.send(health, true).await.0.await.unwrap().status(), 200);
}

/// The interim answers to a request, and the final one.
async fn with_interim(
    connection: &Connection,
    request: Request<()>,
) -> (Vec<Response<()>>, Response<RecvStream>) {
    let (mut answer, _) = connection.send(request, true).await;
    let mut interim = Vec::new();
    while let Some(response) = poll_fn(|cx| answer.poll_informational(cx)).await {
        interim.push(response.unwrap());
    }
    (interim, answer.await.unwrap())
}

fn links(headers: &HeaderMap) -> Vec<&str> {
    headers.get_all("link").iter().map(|link| link.to_str().unwrap()).collect()
}

#[tokio::test]
async fn a_browser_that_goes_to_a_page_is_told_early_what_the_page_needs() {
    let rules =
        "/*\n  Link: </style.css>; rel=preload; as=style\n/other\n  ! Link\n  Link: </next>; rel=next\n";
    let site = Site::page("front").asset("/other.html", "other").file("_headers", rules);
    let server = server_with(site.clone()).await;
    let connection = Connection::open(&server).await;
    let navigate =
        |path: &str| request(Method::GET, HOST, path).header("sec-fetch-mode", "navigate").body(()).unwrap();
    let (interim, answer) = with_interim(&connection, navigate("/")).await;
    assert_eq!(interim.len(), 1);
    assert_eq!((interim[0].status().as_u16(), interim[0].headers().len()), (103, 1));
    assert_eq!(links(interim[0].headers()), ["</style.css>; rel=preload; as=style"]);
    assert_eq!((answer.status().as_u16(), links(answer.headers())), (200, links(interim[0].headers())));
    assert_eq!(whole(answer.into_body()).await, b"front");
    // Nothing to hint at, nobody who would use it, not the page itself.
    for request in [navigate("/other"), get("/"), navigate("/index.html")] {
        let (interim, _) = with_interim(&connection, request).await;
        assert!(interim.is_empty(), "{interim:?}");
    }

    let strict = TestServer::start_with(&[("OFFPRINT_STRICT", "true")]).await;
    strict.api().create_project("demo").await;
    site.deploy(&strict.api(), "demo").await;
    let connection = Connection::open(&strict).await;
    let (interim, answer) = with_interim(&connection, navigate("/")).await;
    assert!(interim.is_empty() && answer.status() == 200);
}

#[tokio::test]
async fn what_has_begun_is_finished_before_the_server_stops() {
    let mut server = server_with(Site::page("front").asset("/large.bin", large(3_000_000))).await;
    let idle = Connection::open(&server).await;
    assert_eq!(idle.page("/").await, "front");
    let connection = Connection::open(&server).await;
    let post = request(Method::POST, "127.0.0.1", "/client/v4/pages/assets/check-missing")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(())
        .unwrap();
    let (answer, mut stream) = connection.send(post, false).await;
    stream.send_data(Bytes::from_static(b"{\"hashes\""), false).unwrap();
    let download = connection.get("/large.bin").await.into_body();
    server.ask_to_stop();
    // The one without a request in flight is told to go, and goes.
    idle.task.await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address()).await.is_err(), "it accepts no more");
    stream.send_data(Bytes::from_static(b":[]}"), true).unwrap();
    assert_eq!(json_of(answer.await.unwrap()).await["result"], json!([]));
    assert!(whole(download).await == large(3_000_000));
    connection.task.await.unwrap().unwrap();
    assert!(server.stopped().await, "{}", server.log());
}

#[tokio::test]
async fn what_no_client_should_send_costs_at_most_its_own_connection() {
    let server = server_with(Site::page("front")).await;
    // More headers than there may be: refused, and the connection goes on.
    let connection = Connection::open(&server).await;
    let many = (0..40).fold(request(Method::GET, HOST, "/"), |request, n| {
        request.header(format!("x-{n}"), "y".repeat(3000))
    });
    let refused = connection.send(many.body(()).unwrap(), true).await.0.await.unwrap();
    assert_eq!(refused.status(), 431);
    assert_eq!(connection.page("/").await, "front");
    // Requests that are taken back as they are made, again and again.
    let flood = Connection::open(&server).await;
    for _ in 0..20_000 {
        let Ok(mut sender) = flood.sender.clone().ready().await else { break };
        let Ok((_, mut stream)) = sender.send_request(get("/"), true) else { break };
        stream.send_reset(Reason::CANCEL);
    }
    // A connection that begins as HTTP/2 and goes on as something else, and one that says nothing more.
    for rest in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\xff\xff\x09\0\0\0\0\0", b""] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let bytes = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", rest].concat();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes).await.unwrap();
        tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap();
        let mut answer = Vec::new();
        let end = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(30), end).await.expect("the server closes");
    }
    assert_eq!(connection.page("/").await, "front");
}

#[tokio::test]
async fn curl_gets_pages_with_prior_knowledge() {
    let server = server_with(Site::page("front")).await;
    let version = std::process::Command::new("curl").arg("--version").output();
    if !version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).contains("HTTP2")) {
        return skip("curl is not installed, or speaks no HTTP/2");
    }
    let port = server.address().port();
    let curl = |arguments: &[&str]| {
        let output = std::process::Command::new("curl")
            .args(["--silent", "--show-error", "--http2-prior-knowledge", "--resolve"])
            .arg(format!("{HOST}:{port}:127.0.0.1"))
            .args(arguments)
            .arg(format!("http://{HOST}:{port}/"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(curl(&[]), "front");
    assert!(curl(&["--head"]).starts_with("HTTP/2 200"));
    assert_eq!(curl(&["--data", "x=1", "--write-out", "%{http_code}"]), "405");
}
