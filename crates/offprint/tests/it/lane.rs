//! The express lane of HTTP/1.1 gives the answers that the ordinary way gives, byte for byte.
//!
//! A request goes the ordinary way, by hyper, when it has more header lines than the lane looks at. So the same
//! requests are sent twice, with and without such a load, and what comes back is compared as it came.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::functions::conformance::cases::{self, Answer, Case, SiteSpec};
use crate::functions::conformance::{SETTINGS, deploy};
use crate::support::{Site, TestServer};

/// More header lines than the lane looks at, fewer than the ordinary way takes.
fn load() -> String {
    (0..41).map(|number| format!("L{number}:\r\n")).collect()
}

/// Sends pieces one after the other and reads until the server closes.
async fn exchange(server: &TestServer, pieces: &[&[u8]], pause: Duration) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut received = Vec::new();
    let sending = async {
        for piece in pieces {
            // The server may have closed: what it has answered until then is what counts.
            let _ = writer.write_all(piece).await;
            tokio::time::sleep(pause).await;
        }
    };
    let both = async { tokio::join!(sending, reader.read_to_end(&mut received)) };
    let ((), read) = tokio::time::timeout(Duration::from_secs(60), both).await.expect("the server closes");
    let _ = read;
    received
}

/// What was received, without what is new with every answer.
fn comparable(received: &[u8]) -> String {
    let text = String::from_utf8_lossy(received);
    let is_new =
        |line: &str| ["date: ", "cf-ray: ", "x-request-id: "].iter().any(|name| line.starts_with(name));
    text.split("\r\n").filter(|line| !is_new(line)).collect::<Vec<_>>().join("\r\n")
}

/// The bytes of a request, up to where further header lines may follow.
fn head_of(request: &Request<()>) -> Vec<u8> {
    let target = request.uri().path_and_query().unwrap();
    let mut bytes = format!("{} {target} HTTP/1.1\r\n", request.method()).into_bytes();
    for (name, value) in request.headers() {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes
}

/// Asks for the same three times: with the load, and twice without, since an answer is not ready before it was
/// given. All of them must be the same, and are taken apart.
async fn ask(server: &TestServer, request: &Request<()>) -> Answer {
    let (head, load) = (head_of(request), load());
    let last = b"Connection: close\r\n\r\n";
    let ordinary = exchange(server, &[&[&head, load.as_bytes(), &last[..]].concat()], Duration::ZERO).await;
    let plain = [&head[..], b"\r\n", &head[..], &last[..]].concat();
    let both = exchange(server, &[&plain], Duration::ZERO).await;
    // All but the last of them keeps the connection.
    let (expected, found) = (comparable(&ordinary).replace("connection: close\r\n", ""), comparable(&both));
    let found = found.replace("connection: close\r\n", "");
    assert_eq!(found, expected.repeat(2), "{}", String::from_utf8_lossy(&plain));
    parse(&ordinary)
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let mut lines = bytes[..end - 4].split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let status = std::str::from_utf8(&lines.next().unwrap()[9..12]).unwrap().parse().unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':').unwrap();
        let name = HeaderName::from_bytes(&line[..colon]).unwrap();
        headers.append(name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).unwrap());
    }
    Answer { status, headers, body: Bytes::copy_from_slice(&bytes[end..]) }
}

/// How many answers the lane has given.
async fn ready_answers(server: &TestServer) -> u64 {
    let text = server.site("127.0.0.1", "/metrics").await.text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with("offprint_http_ready_answers_total "));
    line.and_then(|line| line.split(' ').next_back()?.parse().ok()).expect("a counter")
}

async fn ask_case(server: &TestServer, case: &Case) -> Answer {
    let etag = match case.etag_request() {
        None => None,
        Some(request) => ask(server, &request).await.headers.get("etag").cloned(),
    };
    let etag = etag.as_ref().map(|tag| tag.to_str().unwrap());
    ask(server, &case.request(etag)).await
}

#[tokio::test]
async fn recorded_answers_come_over_the_wire_both_ways() {
    let server = TestServer::start_with(&SETTINGS).await;
    // Those with a Worker are for the tests of Functions.
    let sites: Vec<SiteSpec> = cases::sites().into_iter().filter(|site| site.requires.is_empty()).collect();
    for site in &sites {
        deploy(&server, site).await.unwrap();
        for host in site.hosts.iter().filter(|host| !host.ends_with(".pages.dev")) {
            let front = server.page(&format!("{}.pages.dev", site.name), "/").await;
            server.shows(host, &front).await;
        }
    }
    let (mut passed, mut failed) = (0, Vec::new());
    for case in cases::cases() {
        let Some(site) = sites.iter().find(|site| site.name == case.site) else { continue };
        let complaints = case.complaints(site, &ask_case(&server, &case).await);
        match complaints.is_empty() || case.is_uncertain {
            true => passed += 1,
            false => failed.push(format!("{} {}: {}", case.id, case.path(), complaints.join("; "))),
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    assert!(passed > 600, "only {passed} cases were asked");
    assert!(ready_answers(&server).await > 200);
}

const HOSTS: &[&str] =
    &["demo.pages.localhost", "next.demo.pages.localhost", "DEMO.pages.localhost.:80", "127.0.0.1"];
const TARGETS: &[&str] = &[
    "/",
    "/?q",
    "/a.txt",
    "/a%2Etxt",
    "/page",
    "/file.bin",
    "/big.bin",
    "/none",
    "/docs/none",
    "/page.html",
    "/old",
    "//",
    "/{",
    "*",
    "/healthz",
    "http://demo.pages.localhost/a.txt",
];
const LINES: &[&str] = &[
    "Accept-Encoding: gzip, br\r\n",
    "If-None-Match: \"x\"\r\n",
    "Connection: keep-alive\r\n",
    "User-Agent: x\r\n",
    "X-Empty:\r\n",
    "accept-encoding: identity;q=0\r\n",
    "Range: bytes=0-3\r\n",
    "Authorization: Basic eDp5\r\n",
    "TE: trailers\r\n",
    "Connection: Keep-Alive, TE\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: h2c\r\n",
    "Host: next.demo.pages.localhost\r\n",
    "Cookie: a=b\r\n",
];
/// Request lines and what goes with them: the second is for headers, the third for the body.
const SHAPES: &[(&str, &str, &str)] = &[
    ("GET", "", ""),
    ("HEAD", "", ""),
    ("OPTIONS", "", ""),
    ("GET", "Content-Length: 0\r\n", ""),
    ("GET", "Content-Length: 27\r\n", "GET /a.txt HTTP/1.1\r\nHost:"),
    ("POST", "Content-Length: 5\r\n", "GET /"),
    ("POST", "Transfer-Encoding: chunked\r\n", "5\r\nGET /\r\n0\r\n\r\n"),
    ("GET", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
];

/// A request before the blank line of its head, and after it.
type Asked = (String, &'static str);

/// The first of each list are what most clients send.
fn asked() -> impl Strategy<Value = Asked> {
    let anything = (select(SHAPES), select(TARGETS), select(HOSTS), prop::sample::subsequence(LINES, 0..3));
    let usual = (
        select(&SHAPES[..2]),
        select(&TARGETS[..9]),
        select(&HOSTS[..3]),
        prop::sample::subsequence(&LINES[..5], 0..2),
    );
    prop_oneof![2 => usual.boxed(), 1 => anything.boxed()].prop_map(
        |((method, framing, body), target, host, lines)| {
            let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{framing}{}", lines.concat());
            (head, body)
        },
    )
}

/// Requests on one connection, and where what is sent is cut.
fn conversations() -> impl Strategy<Value = (Vec<Asked>, Vec<prop::sample::Index>)> {
    (prop::collection::vec(asked(), 1..12), prop::collection::vec(any::<prop::sample::Index>(), 0..6))
}

/// What stands behind the request that ends a connection.
const NOBODYS: &str = "GET / HT";

/// The requests and one that ends the connection.
fn bytes_of(requests: &[Asked], load: &str) -> Vec<u8> {
    let last = "GET /a.txt HTTP/1.1\r\nHost: demo.pages.localhost\r\nConnection: close\r\n";
    let last = (last.to_owned(), NOBODYS);
    let bytes_of = |(head, body): &Asked| format!("{head}{load}\r\n{body}").into_bytes();
    requests.iter().chain([&last]).flat_map(bytes_of).collect()
}

/// With the long bodies cut out.
fn shown(conversation: &str) -> String {
    let filling = |letter: char| conversation.matches(letter).count();
    let cut = conversation.replace("xxxx", "").replace("yyyy", "");
    format!("{} bytes, {} x, {} y:\n{cut}", conversation.len(), filling('x'), filling('y'))
}

async fn converse(server: &TestServer, bytes: &[u8], cuts: &[prop::sample::Index]) -> String {
    // Not in what is nobody's: to send something after the end breaks the connection off, on either side.
    let inner = bytes.len() - NOBODYS.len();
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(inner)).chain([0, bytes.len()]).collect();
    at.sort_unstable();
    let pieces: Vec<&[u8]> = at.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
    comparable(&exchange(server, &pieces, Duration::from_millis(1)).await)
}

#[test]
fn conversations_are_the_same_on_the_lane_and_off_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(async {
        let server = TestServer::start().await;
        let api = server.api();
        api.create_project("demo").await;
        let site = Site::page("front")
            .asset("/a.txt", "a line of text\n".repeat(100))
            .asset("/page.html", "<link rel=preload as=style href=/a.css>")
            .asset("/docs/404.html", "nothing in docs")
            .asset("/file.bin", vec![b'y'; 30_000])
            .asset("/big.bin", vec![b'x'; 3_000_000])
            .file("_headers", "/*\n  X-Path: :splat\n/a.txt\n  ! Vary\n")
            .file("_redirects", "/old /a.txt 301\n");
        site.deploy(&api, "demo").await;
        site.branch("next").deploy(&api, "demo").await;
        server
    });
    let load = load();
    let mut runner = TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&conversations(), |(requests, cuts)| {
        runtime.block_on(async {
            let ordinary = converse(&server, &bytes_of(&requests, &load), &[]).await;
            // A body that has not come when its request is answered ends the connection, or not; and what is sent
            // to one that has ended breaks off what is still on its way: chance decides.
            let is_steady = requests.iter().all(|(_, body)| body.is_empty())
                && ordinary.matches("HTTP/1.1 ").count() == requests.len() + 1;
            let cuts = if is_steady { &cuts[..] } else { &[] };
            for cuts in [&[][..], cuts] {
                let plain = converse(&server, &bytes_of(&requests, ""), cuts).await;
                prop_assert!(plain == ordinary, "{}\n\nand not\n\n{}", shown(&plain), shown(&ordinary));
            }
            Ok(())
        })
    });
    ran.unwrap();
    let ready = runtime.block_on(ready_answers(&server));
    assert!(ready > 300, "only {ready} answers were the lane's");
}

#[tokio::test]
async fn an_answer_that_has_begun_is_finished_before_the_server_stops_and_none_is_begun_after() {
    const LENGTH: usize = 3_000_000;
    let mut server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    Site::page("front").asset("/big.bin", vec![b'x'; LENGTH]).deploy(&api, "demo").await;
    let request = "GET /big.bin HTTP/1.1\r\nHost: demo.pages.localhost\r\n\r\n";
    server.page("demo.pages.localhost", "/big.bin").await;
    let answered_before = ready_answers(&server).await;

    // More than the kernel keeps for a client that does not read.
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(request.repeat(20).as_bytes()).await.unwrap();
    while ready_answers(&server).await == answered_before {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.ask_to_stop();
    // It has heard of it when nobody new gets in.
    while TcpStream::connect(server.address()).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    let heads = received.windows(13).filter(|bytes| bytes == b"HTTP/1.1 200 ").count();
    let bodies = received.iter().rev().take_while(|byte| **byte == b'x').count();
    assert_eq!(bodies, LENGTH, "the last answer is whole");
    assert!((1..20).contains(&heads), "{heads} answers");
    assert!(server.stopped().await, "{}", server.log());
}
