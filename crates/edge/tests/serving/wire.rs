//! What stands on the wire of HTTP/1: lengths, and nothing after an answer without a body.

use std::convert::Infallible;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use offprint_edge::Edge;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::house::{Content, House, serve};

/// Sends requests over one connection, the last of which closes it, and returns all that comes back.
async fn exchange(edge: Edge, requests: &[&str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |request| {
            let edge = edge.clone();
            async move { Ok::<_, Infallible>(serve(&edge, &request).await) }
        });
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
    });
    let mut client = TcpStream::connect(address).await.unwrap();
    for (at, request) in requests.iter().enumerate() {
        let last = if at + 1 == requests.len() { "connection: close\r\n" } else { "" };
        let head = format!("{request}\r\nhost: site.pages.dev\r\n{last}\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
    }
    let mut received = String::new();
    client.read_to_string(&mut received).await.unwrap();
    server.await.unwrap().unwrap();
    received
}

fn heads(received: &str) -> Vec<&str> {
    received.split("\r\n\r\n").collect()
}

#[tokio::test]
async fn answers_are_framed_so_that_the_next_is_found() {
    let house = House::open().await;
    let project = house.project("site").await;
    let large = "x".repeat(2_000_000);
    let content = Content {
        redirects: Some("/old /new 301\n".to_owned()),
        ..Content::of(&[
            ("/index.html", "hello"),
            ("/empty.txt", ""),
            ("/large.txt", &large),
            ("/404.html", "gone"),
        ])
    };
    house.deploy(&project, "main", &content).await;
    let edge = house.edge().await;

    let received = exchange(
        edge.clone(),
        &["HEAD / HTTP/1.1", "HEAD /large.txt HTTP/1.1", "HEAD /old HTTP/1.1", "HEAD /empty.txt HTTP/1.1"],
    )
    .await;
    let heads = heads(&received);
    assert_eq!(heads.len(), 5, "four heads and nothing after them: {received}");
    assert!(heads[0].contains("content-length: 5\r\n"), "{received}");
    assert!(heads[1].contains("content-length: 2000000\r\n"), "{received}");
    assert!(heads[2].starts_with("HTTP/1.1 301") && heads[4].is_empty(), "{received}");

    let received = exchange(
        edge.clone(),
        &["POST / HTTP/1.1", "GET /empty.txt HTTP/1.1", "GET /missing HTTP/1.1", "GET / HTTP/1.1"],
    )
    .await;
    assert!(received.starts_with("HTTP/1.1 405"), "{received}");
    assert!(received.contains("\r\n\r\ngoneHTTP/1.1 200"), "{received}");
    assert!(received.ends_with("\r\n\r\nhello"), "{received}");

    let received = exchange(edge, &["GET /large.txt HTTP/1.1", "GET / HTTP/1.1"]).await;
    assert!(received.contains("xHTTP/1.1 200 OK") && received.ends_with("hello"));
    assert_eq!(received.matches('x').count() / 1_000_000, 2);
}
