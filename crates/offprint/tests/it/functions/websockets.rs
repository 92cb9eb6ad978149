//! WebSockets through the listener to a Function.

use reqwest::Version;

use super::{Certificate, HOST, answering, deployed, functions};
use crate::support::{Socket, TestServer, client};

const ECHO: &str = "
    if (request.headers.get('upgrade') !== 'websocket') return new Response('no socket', { status: 426 });
    const [client, server] = Object.values(new WebSocketPair());
    server.binaryType = 'arraybuffer';
    server.accept();
    server.addEventListener('message', (event) => {
        if (event.data === 'bye') server.close(4000, 'as you wish');
        else server.send(typeof event.data === 'string' ? 'echo ' + event.data : event.data);
    });
    server.send('welcome');
    return new Response(null, { status: 101, webSocket: client, headers: { 'x-own': 'yes' } });";

async fn converse(server: &TestServer) {
    let mut socket = Socket::connect(server, HOST).await;
    let head = socket.upgrade(HOST, "/socket").await.to_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    assert_eq!(socket.hear().await, "welcome");
    for n in 0..20 {
        socket.say(&format!("message {n}")).await;
        assert_eq!(socket.hear().await, format!("echo message {n}"));
    }
    let large = vec![7; 300_000];
    socket.send_frame(2, &large).await;
    assert!(socket.frame().await == (2, large));
    socket.say("bye").await;
    let (opcode, reason) = socket.frame().await;
    assert_eq!((opcode, &reason[..2], &reason[2..]), (8, &4000_u16.to_be_bytes()[..], &b"as you wish"[..]));
}

#[tokio::test]
async fn a_conversation_goes_both_ways() {
    let server = functions!();
    deployed(&server, &answering(ECHO)).await;
    converse(&server).await;
    let plain = server.site(HOST, "/socket").await;
    assert_eq!((plain.status().as_u16(), plain.text().await.unwrap()), (426, "no socket".into()));
}

#[tokio::test]
async fn a_conversation_goes_through_tls_and_http2_says_what_it_cannot() {
    let certificate = Certificate::new();
    let server = functions!(&certificate.settings());
    deployed(&server, &answering(ECHO)).await;
    converse(&server).await;
    let http2 = client().resolve(HOST, server.address()).build().unwrap();
    let answer = http2.get(format!("https://{HOST}:{}/", server.address().port())).send().await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_2, 426));
}

#[tokio::test]
async fn a_function_that_refuses_a_socket_says_so() {
    let server = functions!();
    deployed(&server, &answering("return new Response('not here', { status: 403 })")).await;
    let mut socket = Socket::connect(&server, HOST).await;
    assert!(socket.upgrade(HOST, "/").await.starts_with("HTTP/1.1 403"));
    socket.read_until("not here").await;
}

#[tokio::test]
async fn a_site_without_functions_ignores_the_wish_for_a_socket() {
    let server = TestServer::start().await;
    deployed(&server, &crate::support::Site::page("front")).await;
    let mut socket = Socket::connect(&server, HOST).await;
    assert!(socket.upgrade(HOST, "/").await.starts_with("HTTP/1.1 200"));
    socket.read_until("front").await;
}

/// Open conversations do not keep a server that is to stop.
#[tokio::test]
async fn a_server_that_stops_ends_the_conversations() {
    let mut server = functions!();
    deployed(&server, &answering(ECHO)).await;
    let mut socket = Socket::connect(&server, HOST).await;
    socket.upgrade(HOST, "/").await;
    assert_eq!(socket.hear().await, "welcome");
    server.ask_to_stop();
    assert!(server.stopped().await, "{}", server.log());
    socket.rest().await;
}
