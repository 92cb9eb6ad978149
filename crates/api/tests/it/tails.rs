//! Tails and exceptions: what Functions say, told here by the test in place of a process.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Extension;
use offprint_api::ClientAddress;
use offprint_functions::DeploymentKey;
use offprint_functions::tail::Wants;
use offprint_model::name::ProjectName;
use offprint_model::stages::StageEnd;
use offprint_store::ShortId;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Api, demo, deployments, form};

/// Opcodes of RFC 6455.
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// A deployment with a Worker: its path, and the name under which its Functions run.
async fn with_worker(api: &Api) -> (String, DeploymentKey) {
    api.project("demo").await;
    let parts: [(&str, &[u8]); 2] = [("manifest", b"{}"), ("_worker.js", b"export default {}")];
    let made = api.writer().send_form(&deployments("demo"), form(&parts)).await.result();
    api.run_job(StageEnd::Success).await;
    let id = made["id"].as_str().unwrap();
    let deployment = ShortId::parse(&id[..8]).unwrap();
    let key = DeploymentKey { project: ProjectName::parse("demo").unwrap(), deployment };
    (demo(&format!("/deployments/{id}")), key)
}

/// A call that a Function has answered.
fn call(method: &str, outcome: &str, says: &str) -> offprint_wire::tail::TailEvent {
    serde_json::from_value(json!({
        "outcome": outcome,
        "logs": [{ "level": "log", "message": [says], "timestamp": 1 }],
        "event": { "request": { "url": "https://a.example/", "method": method,
            "headers": { "cf-connecting-ip": "192.0.2.7" } }, "response": { "status": 200 } },
    }))
    .unwrap()
}

/// The router on a port of its own. Its clients all have this address.
async fn served(api: &Api, address: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bound = listener.local_addr().unwrap();
    let address: IpAddr = address.parse().unwrap();
    let router = api.router.clone().layer(Extension(ClientAddress(address)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    bound
}

/// A WebSocket, bare: the tests are about its frames.
struct Socket(TcpStream);

impl Socket {
    /// Connects to the path of a tail's address as wrangler does.
    async fn connect(address: SocketAddr, url: &str) -> (Self, String) {
        let path = url.split_once("8788").unwrap().1;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
             Sec-WebSocket-Protocol: trace-v1\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.expect("a head"));
        }
        (Self(stream), String::from_utf8(answer).unwrap().to_ascii_lowercase())
    }

    /// Sends a short frame without a mask.
    async fn say(&mut self, text: &str) {
        let head = [0x80 | TEXT, u8::try_from(text.len()).unwrap()];
        self.0.write_all(&[&head, text.as_bytes()].concat()).await.unwrap();
    }

    /// The next frame that is no ping.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        loop {
            let [first, second] = [self.0.read_u8().await.unwrap(), self.0.read_u8().await.unwrap()];
            assert!(first & 0xf0 == 0x80 && second < 127, "whole, plain, without a mask, not very long");
            let length = if second == 126 { self.0.read_u16().await.unwrap() } else { second.into() };
            let mut payload = vec![0; length.into()];
            self.0.read_exact(&mut payload).await.unwrap();
            if first & 0xf != PING {
                return (first & 0xf, payload);
            }
        }
    }

    async fn event(&mut self) -> Value {
        let (opcode, payload) = self.frame().await;
        assert_eq!(opcode, TEXT);
        serde_json::from_slice(&payload).unwrap()
    }
}

/// Waits until somebody watches, or nobody does: that takes a moment after a connection was made or has ended.
async fn until(api: &Api, key: &DeploymentKey, wants: Wants) {
    while api.tails.wants(key) != wants {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn start(api: &Api, path: &str, filters: Value) -> Value {
    api.writer().post(&format!("{path}/tails"), &json!({ "filters": filters })).await.result()
}

#[tokio::test]
async fn a_tail_is_watched_over_a_websocket_with_the_frames_that_wrangler_sends() {
    let api = Api::start().await;
    let (path, key) = with_worker(&api).await;
    let tail = start(&api, &path, json!([])).await;
    assert!(
        tail["url"].as_str().unwrap().starts_with("ws://localhost:8788/client/v4/pages/tails/"),
        "{tail}"
    );
    assert!(tail["expires_at"].as_str().unwrap().ends_with('Z') && tail["id"].is_string());
    let address = served(&api, "127.0.0.1").await;
    let (mut socket, head) = Socket::connect(address, tail["url"].as_str().unwrap()).await;
    assert!(head.starts_with("http/1.1 101") && head.contains("sec-websocket-protocol: trace-v1"), "{head}");
    socket.say("{\"debug\":false}").await;
    until(&api, &key, Wants::Everything).await;
    api.tails.publish(&key, vec![call("GET", "ok", "hello")], 0);
    let event = socket.event().await;
    assert_eq!(event["logs"][0]["message"], json!(["hello"]));
    assert_eq!(event["event"]["response"]["status"], 200);
    assert_eq!((&event["exceptions"], &event["outcome"]), (&json!([]), &json!("ok")));
    let end = format!("{path}/tails/{}", tail["id"].as_str().unwrap());
    assert_eq!(api.writer().delete(&end).await.result(), Value::Null);
    // Nobody heeds it any more, and it is not in the way of the farewell.
    socket.say("{\"debug\":true}").await;
    let (opcode, payload) = socket.frame().await;
    assert_eq!((opcode, &payload[..2]), (CLOSE, &1000_u16.to_be_bytes()[..]));
    assert_eq!(api.tails.wants(&key), Wants::Exceptions);
    api.writer().delete(&end).await.ok();
}

#[tokio::test]
async fn who_goes_away_does_not_watch_any_more_and_may_come_back() {
    let api = Api::start().await;
    let (path, key) = with_worker(&api).await;
    let tail = start(&api, &path, json!([{ "method": ["POST"] }])).await;
    let address = served(&api, "127.0.0.1").await;
    for says in ["one", "two"] {
        let (mut socket, _) = Socket::connect(address, tail["url"].as_str().unwrap()).await;
        until(&api, &key, Wants::Everything).await;
        api.tails.publish(&key, vec![call("GET", "ok", "filtered"), call("POST", "ok", says)], 0);
        assert_eq!(socket.event().await["logs"][0]["message"], json!([says]));
        drop(socket);
        until(&api, &key, Wants::Exceptions).await;
    }
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let api = Api::start().await;
    let (path, key) = with_worker(&api).await;
    let tail = start(&api, &path, json!([])).await;
    let (mut socket, _) =
        Socket::connect(served(&api, "127.0.0.1").await, tail["url"].as_str().unwrap()).await;
    until(&api, &key, Wants::Everything).await;
    api.stop.cancel();
    let (opcode, payload) = socket.frame().await;
    assert_eq!((opcode, &payload[..2]), (CLOSE, &1001_u16.to_be_bytes()[..]));
}

#[tokio::test]
async fn self_is_the_address_of_whoever_starts_the_tail() {
    for (own, expected) in [("192.0.2.7", "seen"), ("192.0.2.8", "seen by all")] {
        let api = Api::start().await;
        let (path, key) = with_worker(&api).await;
        let address = served(&api, own).await;
        let http = format!("{path}/tails").replace("{a}", crate::harness::ACCOUNT);
        let body = json!({ "filters": [{ "client_ip": ["self"] }] }).to_string();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST /client/v4{http} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            api.write_authorization(),
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let json: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let tail = &json["result"];
        let (mut socket, _) = Socket::connect(address, tail["url"].as_str().unwrap()).await;
        until(&api, &key, Wants::Everything).await;
        api.tails.publish(&key, vec![call("GET", "ok", "seen")], 0);
        // Of another address: only a tail without this filter would carry it.
        let mut other = call("GET", "ok", "seen by all");
        other.event["request"]["headers"]["cf-connecting-ip"] = own.into();
        api.tails.publish(&key, vec![other], 0);
        assert_eq!(socket.event().await["logs"][0]["message"], json!([expected]), "{own}");
    }
}

#[tokio::test]
async fn an_address_that_is_no_tail_and_a_request_that_is_no_websocket_are_refused() {
    let api = Api::start().await;
    let (path, key) = with_worker(&api).await;
    let address = served(&api, "127.0.0.1").await;
    let unknown = format!("ws://localhost:8788/client/v4/pages/tails/{}", "0".repeat(64));
    let (_, head) = Socket::connect(address, &unknown).await;
    assert!(head.starts_with("http/1.1 404"), "{head}");
    let tail = start(&api, &path, json!([])).await;
    let plain = tail["url"].as_str().unwrap().split_once("/client/v4").unwrap().1.to_owned();
    let answer = api.anonymous().get(&plain).await;
    assert_eq!(answer.refusal(), (400, 6003));
    assert!(answer.message().contains("WebSockets only"), "{}", answer.message());
    assert_eq!(api.tails.wants(&key), Wants::Exceptions);
}

#[tokio::test]
async fn filters_that_are_none_and_deployments_without_functions_are_refused() {
    let api = Api::start().await;
    let (path, _) = with_worker(&api).await;
    let tails = format!("{path}/tails");
    let answer = api.writer().post(&tails, &json!({ "filters": [{ "sampling_rate": 2 }] })).await;
    assert_eq!(answer.refusal(), (400, 8_000_006));
    assert!(answer.message().contains("filters[0].sampling_rate must be a number from 0 to 1"));
    assert_eq!(api.reader().post(&tails, &json!({})).await.refusal(), (403, 10000));
    let made = api.deploy("demo", "main", &[("/index.html", "static")]).await;
    api.run_job(StageEnd::Success).await;
    let of_static = demo(&format!("/deployments/{}/tails", made["id"].as_str().unwrap()));
    assert_eq!(api.writer().post(&of_static, &json!({})).await.refusal(), (404, 8_000_068));
}

#[tokio::test]
async fn exceptions_are_read_newest_first_and_filtered_like_tails() {
    let api = Api::start().await;
    let (path, key) = with_worker(&api).await;
    let exceptions = format!("{path}/exceptions");
    assert_eq!(api.reader().get(&exceptions).await.result(), json!([]));
    let mut thrown = call("POST", "exception", "before");
    thrown.exceptions =
        serde_json::from_value(json!([{ "name": "TypeError", "message": "kaputt" }])).unwrap();
    api.tails.publish(&key, vec![thrown, call("GET", "ok", "fine"), call("GET", "exceededCpu", "slow")], 0);
    let outcomes = async |query: &str| {
        let listed = api.reader().get(&format!("{exceptions}{query}")).await.result();
        let listed =
            listed.as_array().unwrap().iter().map(|event| event["outcome"].as_str().unwrap().to_owned());
        listed.collect::<Vec<_>>()
    };
    assert_eq!(outcomes("").await, ["exceededCpu", "exception"]);
    assert_eq!(outcomes("?limit=1").await, ["exceededCpu"]);
    assert_eq!(outcomes("?search=kaputt").await, ["exception"]);
    assert_eq!(outcomes("?search=slow").await, ["exceededCpu"]);
    assert_eq!(outcomes("?filters=%5B%7B%22method%22%3A%5B%22POST%22%5D%7D%5D").await, ["exception"]);
    for (query, why) in [
        ("?limit=x", "limit must be a whole number"),
        ("?filters=x", "filters is not valid JSON"),
        ("?filters=%5B1%5D", "filters[0] must be an object"),
    ] {
        let answer = api.reader().get(&format!("{exceptions}{query}")).await;
        assert_eq!(answer.refusal(), (400, 8_000_006));
        assert!(answer.message().contains(why), "{}", answer.message());
    }
    let unknown = demo("/deployments/00000000-0000-4000-8000-000000000000/exceptions");
    assert_eq!(api.reader().get(&unknown).await.refusal(), (404, 8_000_009));
}
