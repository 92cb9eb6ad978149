//! Streams: both ways, without an end, and WebSockets.

use std::convert::Infallible;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use offprint_functions::{Body, BoxError, DeploymentKey, FunctionRuntime, Workerd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::bundles::fetch;
use crate::house::{House, PATIENCE, get, request, visitor};

/// A body that grows as it is told to.
fn growing() -> (mpsc::Sender<&'static str>, Body) {
    let (sender, receiver) = mpsc::channel::<&'static str>(1);
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let text = receiver.recv().await?;
        Some((Ok::<_, BoxError>(Frame::data(Bytes::from_static(text.as_bytes()))), receiver))
    });
    (sender, http_body_util::StreamBody::new(stream).boxed_unsync())
}

async fn next(body: &mut Body) -> String {
    let frame = timeout(PATIENCE, body.frame()).await.unwrap().unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_stream_goes_up_and_comes_down_piece_by_piece() {
    let Some(house) = House::new().await else { return };
    let key = house
        .deploy(fetch(
            "const { readable, writable } = new TransformStream(); request.body.pipeTo(writable); \
             return new Response(readable)",
        ))
        .await;
    let (sender, body) = growing();
    let asked = request("/").method("POST").body(body).unwrap();
    sender.send("one").await.unwrap();
    let mut answer = house.send(&key, asked).await.unwrap().into_body();
    assert_eq!(next(&mut answer).await, "one");
    // The second piece is sent when the first has come back: nothing waits for the whole.
    sender.send("two").await.unwrap();
    assert_eq!(next(&mut answer).await, "two");
    drop(sender);
    assert!(timeout(PATIENCE, answer.frame()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_slow_upload_is_waited_for_and_one_that_nobody_reads_harms_nobody() {
    let change = |options: &mut offprint_functions::WorkerdOptions| {
        options.limits.answer = std::time::Duration::from_secs(1);
    };
    let Some(house) = House::with(change).await else { return };
    let key = house
        .deploy(fetch(
            "if (request.url.endsWith('/refuse')) return new Response('no', { status: 403 }); \
             return new Response(await request.text())",
        ))
        .await;
    house.check(&key).await.unwrap();
    // It takes longer than an answer may, piece by piece.
    let (sender, body) = growing();
    let sending = async {
        for piece in ["a", "b", "c", "d", "e"] {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            sender.send(piece).await.unwrap();
        }
        drop(sender);
    };
    let asked = house.ask(&key, request("/").method("POST").body(body).unwrap());
    let (answer, ()) = tokio::join!(asked, sending);
    assert_eq!((answer.status, answer.text.as_str()), (200, "abcde"));
    // Answered before its end: the next request does not wait for the rest.
    let (sender, body) = growing();
    sender.send("a").await.unwrap();
    let answer = house.ask(&key, request("/refuse").method("POST").body(body).unwrap()).await;
    assert_eq!((answer.status, answer.text.as_str()), (403, "no"));
    assert_eq!(house.get(&key, "/").await.status, 200);
    drop(sender);
}

#[tokio::test]
async fn who_prints_without_end_waits_for_itself() {
    let Some(house) = House::new().await else { return };
    let key = house
        .deploy(fetch(
            "for (let n = 0; n < 2000; n++) console.log('x'.repeat(10_000)); return new Response('said')",
        ))
        .await;
    let answer = house.get(&key, "/").await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "said"));
}

#[tokio::test]
async fn an_answer_may_have_many_headers() {
    let Some(house) = House::new().await else { return };
    let key = house
        .deploy(fetch(
            "const headers = new Headers(); for (let n = 0; n < 300; n++) headers.append('x-' + n, 'v'); \
             for (const c of 'ab') headers.append('set-cookie', c + '=1'); \
             return new Response('x', { headers })",
        ))
        .await;
    let answer = house.get(&key, "/").await;
    assert_eq!((answer.status, &answer.headers["x-299"]), (200, &"v".parse().unwrap()));
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
}

#[tokio::test]
async fn server_sent_events_come_as_they_are_sent_and_end_with_the_visitor() {
    let Some(house) = House::new().await else { return };
    let key = house
        .deploy(fetch(
            "const { readable, writable } = new TransformStream(); const writer = writable.getWriter(); \
             const text = new TextEncoder(); \
             ctx.waitUntil((async () => { try { for (let n = 0; ; n++) { \
               await writer.write(text.encode(`data: ${n}\\n\\n`)); await scheduler.wait(20); } \
             } catch {} })()); \
             return new Response(readable, { headers: { 'content-type': 'text/event-stream' } })",
        ))
        .await;
    let response = house.send(&key, get("/")).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = response.into_body();
    assert_eq!(next(&mut events).await, "data: 0\n\n");
    assert_eq!(next(&mut events).await, "data: 1\n\n");
    drop(events);
    // Nobody listens: nothing keeps the process from answering others, or from ending.
    let again = house.send(&key, get("/")).await.unwrap();
    assert_eq!(next(&mut again.into_body()).await, "data: 0\n\n");
    timeout(PATIENCE, house.runtime.shutdown()).await.unwrap();
    assert_eq!(house.runtime.live_processes(), 0);
}

#[tokio::test]
async fn a_huge_answer_is_not_gathered_anywhere() {
    let Some(house) = House::new().await else { return };
    // More than the process may have, and no end.
    let key = house
        .deploy(fetch(
            "const piece = new Uint8Array(1 << 20); \
             return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(piece.slice()) }))",
        ))
        .await;
    let mut body = house.send(&key, get("/")).await.unwrap().into_body();
    let mut read = 0;
    while read < 512 << 20 {
        let frame = timeout(PATIENCE, body.frame()).await.unwrap().unwrap().unwrap();
        read += frame.data_ref().map_or(0, Bytes::len);
    }
    // And the process is well: another answer comes from it.
    assert!(house.send(&key, get("/")).await.unwrap().into_body().frame().await.unwrap().is_ok());
    assert_eq!(house.runtime.live_processes(), 1);
}

/// A server in front, as the real one is.
async fn front(runtime: Workerd, key: DeploymentKey) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (runtime, key) = (runtime.clone(), key.clone());
            let service = service_fn(move |request: Request<Incoming>| {
                let (runtime, key) = (runtime.clone(), key.clone());
                async move {
                    let request = request.map(|body| body.map_err(BoxError::from).boxed_unsync());
                    let answered = runtime.answer(key, visitor(), request).await;
                    Ok::<_, Infallible>(answered.unwrap_or_else(|declined| declined.response))
                }
            });
            let served = hyper::server::conn::http1::Builder::new();
            tokio::spawn(served.serve_connection(TokioIo::new(stream), service).with_upgrades());
        }
    });
    address
}

/// A frame with text, masked as a client's must be.
fn frame(text: &str) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let masked = text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [0x81, 0x80 | text.len() as u8].into_iter().chain(mask).chain(masked).collect()
}

/// Echoes what comes through a WebSocket.
const ECHO: &str = "
    if (request.headers.get('upgrade') !== 'websocket') return new Response('no upgrade', { status: 426 });
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.addEventListener('message', ({ data }) => server.send(`echo ${data}`));
    return new Response(null, { status: 101, webSocket: client });";

#[tokio::test]
async fn a_websocket_goes_through() {
    let Some(house) = House::new().await else { return };
    let key = house.deploy(fetch(ECHO)).await;
    assert_eq!(house.get(&key, "/").await.status, 426);
    let address = front(house.runtime.clone(), key.clone()).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    let hello = "GET /ws HTTP/1.1\r\nHost: demo.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(hello.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, socket.read_u8()).await.unwrap().unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 101") && head.contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    for text in ["one", "two"] {
        socket.write_all(&frame(text)).await.unwrap();
        let mut answer = vec![0; 2 + "echo one".len()];
        timeout(PATIENCE, socket.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&answer[2..], format!("echo {text}").as_bytes());
    }
    drop(socket);
}

#[tokio::test]
async fn a_function_opens_websockets_where_it_may() {
    let Some(house) = House::with(|options| options.allow = "127.0.0.1".parse().unwrap()).await else {
        return;
    };
    let echo = house.deploy(fetch(ECHO)).await;
    let port = front(house.runtime.clone(), echo).await.port();
    let key = house
        .deploy(fetch(
            "const url = `http://${new URL(request.url).searchParams.get('to')}/`; \
             const answer = await fetch(url, { headers: { upgrade: 'websocket' } }); \
             if (!answer.webSocket) return new Response(`${answer.status} ${await answer.text()}`); \
             answer.webSocket.accept(); \
             const said = new Promise((resolve) => answer.webSocket.addEventListener('message', resolve)); \
             answer.webSocket.send('hello'); \
             return new Response((await said).data)",
        ))
        .await;
    assert_eq!(house.get(&key, &format!("/?to=127.0.0.1:{port}")).await.text, "echo hello");
    let refused = house.get(&key, &format!("/?to=127.0.0.2:{port}")).await.text;
    assert!(refused.starts_with("502 network: refused"), "{refused}");
}
