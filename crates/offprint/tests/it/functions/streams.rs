//! Bodies that go through while they come, both ways.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;

use super::{Certificate, HOST, answering, deployed, eventually, functions, metric};
use crate::support::{Site, Socket, TestServer, client};

const ECHO: &str = "return new Response(request.body, { headers: { 'content-type': 'text/event-stream' } });";

/// The same site on a server without and on one with TLS.
async fn both(site: &Site) -> Option<[TestServer; 2]> {
    let certificate = Certificate::new();
    let encrypted = TestServer::with_functions(&certificate.settings()).await?;
    let servers = [TestServer::with_functions(&[]).await?, encrypted];
    for server in &servers {
        deployed(server, site).await;
    }
    Some(servers)
}

/// Each piece is heard before the next one is said, so nothing on the way waits for more.
#[tokio::test]
async fn what_is_sent_comes_back_piece_by_piece() {
    let Some(servers) = both(&answering(ECHO)).await else { return };
    for server in &servers {
        let mut socket = Socket::connect(server, HOST).await;
        socket.send(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n")).await;
        socket.send_chunk("data: 1\n\n").await;
        let head = socket.head().await;
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
        socket.read_until("data: 1\n\n").await;
        for n in 2..20 {
            socket.send_chunk(&format!("data: {n}\n\n")).await;
            socket.read_until(&format!("data: {n}\n\n")).await;
        }
        socket.send("0\r\n\r\n").await;
        socket.read_until("0\r\n\r\n").await;
    }
}

#[tokio::test]
async fn a_large_upload_arrives_whole_over_every_protocol() {
    let count = answering(
        "let [bytes, sum] = [0, 0];
        for await (const piece of request.body) { bytes += piece.length; for (const byte of piece) sum = (sum + byte) % 65521; }
        return Response.json([bytes, sum]);",
    );
    let Some(servers) = both(&count).await else { return };
    let piece: Vec<u8> = (0..1 << 20).map(|n: u32| (n % 251) as u8).collect();
    let sum = piece.iter().fold(0_u64, |sum, byte| sum + u64::from(*byte)) * 24 % 65521;
    for (server, http2) in [(&servers[0], false), (&servers[1], true), (&servers[1], false)] {
        let client = client().resolve(HOST, server.address());
        let client = if http2 { client } else { client.http1_only() }.build().unwrap();
        let scheme = server.origin().split(':').next().unwrap().to_owned();
        let url = format!("{scheme}://{HOST}:{}/", server.address().port());
        let piece = Bytes::from(piece.clone());
        let body = stream::iter((0..24).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
        let answer = client.post(url).body(reqwest::Body::wrap_stream(body)).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), format!("[{},{sum}]", 24 << 20));
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let server = functions!(&[("OFFPRINT_FUNCTIONS_BODY_BYTES_MAX", "1000")]);
    deployed(&server, &answering("return new Response((await request.text()).length)")).await;
    let post = |body: reqwest::Body| {
        let request = client().build().unwrap().post(server.origin()).header("host", HOST);
        async { request.body(body).send().await.unwrap() }
    };
    let fits = post(vec![b'a'; 1000].into()).await;
    assert_eq!((fits.status().as_u16(), fits.text().await.unwrap()), (200, "1000".into()));
    assert_eq!(post(vec![b'a'; 1001].into()).await.status(), 413);
    let pieces = stream::iter((0..3).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'a'; 400]))));
    assert_eq!(post(reqwest::Body::wrap_stream(pieces)).await.status(), 413);
    assert_eq!(post("a".into()).await.text().await.unwrap(), "1");
}

#[tokio::test]
async fn a_client_that_asks_whether_to_go_on_is_told() {
    let server = functions!();
    deployed(&server, &answering("return new Response(await request.text())")).await;
    let mut socket = Socket::connect(&server, HOST).await;
    let head =
        format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    socket.send(head).await;
    assert!(socket.head().await.starts_with("HTTP/1.1 100"));
    socket.send("hello").await;
    assert!(socket.head().await.starts_with("HTTP/1.1 200"));
    socket.read_until("hello").await;
}

/// A process is idle once nobody listens, and an idle one is stopped: so a stream without an end has been ended.
#[tokio::test]
async fn a_visitor_who_leaves_ends_what_was_made_for_him() {
    let server = functions!(&[("OFFPRINT_FUNCTIONS_IDLE", "1")]);
    let endless = answering(
        "const { readable, writable } = new TransformStream();
        const writer = writable.getWriter();
        const write = async () => { for (;;) { await writer.write(new TextEncoder().encode('tick\\n')); await scheduler.wait(20); } };
        ctx.waitUntil(write().catch(() => {}));
        return new Response(readable);",
    );
    deployed(&server, &endless).await;
    let mut visitors = Vec::new();
    for _ in 0..3 {
        let mut socket = Socket::connect(&server, HOST).await;
        socket.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
        socket.read_until("tick\n").await;
        visitors.push(socket);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(metric(&server, "offprint_function_processes").await, 1.0, "it is in use");
    drop(visitors);
    eventually("the process is stopped", async || {
        metric(&server, "offprint_function_processes").await == 0.0
    })
    .await;
}
