//! Answers that stand ready are the ordinary ones. Whatever any test here asks for is asked of the shortcut too
//! (see `house::ask`); this file says what must be ready and what must not, and asks at random.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, HOST, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderName, Method, Request};
use offprint_edge::{Edge, EdgeOptions, PlainRequest};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use crate::cases::Answer;
use crate::house::{Content, House, ask};

/// How many answers were ready when they were asked for, in this process.
pub(crate) static COUNT: AtomicUsize = AtomicUsize::new(0);

/// The request in the words of the shortcut, if it can be put so.
fn plain(request: &Request<()>) -> Option<PlainRequest<'_>> {
    let headers = request.headers();
    let one = |name: HeaderName| {
        let mut lines = headers.get_all(name).iter();
        (lines.next().map(|line| line.as_bytes()), lines.next().is_none())
    };
    let (host, accept_encoding, if_none_match) = (one(HOST), one(ACCEPT_ENCODING), one(IF_NONE_MATCH));
    let is_plain = [Method::GET, Method::HEAD].contains(request.method())
        && request.uri().authority().is_none()
        && ![AUTHORIZATION, RANGE, IF_RANGE].iter().any(|name| headers.contains_key(name))
        && host.1
        && accept_encoding.1
        && if_none_match.1;
    is_plain.then_some(PlainRequest {
        is_head: request.method() == Method::HEAD,
        host: host.0?,
        target: request.uri().path_and_query()?.as_str(),
        accept_encoding: accept_encoding.0,
        if_none_match: if_none_match.0,
    })
}

/// Whether a request's answer is ready; if so, it must be this one.
pub(crate) fn is_ready(edge: &Edge, request: &Request<()>, expected: &Answer) -> bool {
    let Some(ready) = plain(request).and_then(|plain| edge.ready(&plain)) else { return false };
    let mut lines =
        format!("HTTP/1.1 {} {}\r\n", ready.status().as_str(), ready.status().canonical_reason().unwrap());
    for (name, value) in expected.headers.iter().filter(|(name, _)| **name != CONTENT_LENGTH) {
        lines += &format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
    }
    let context = format!("{} {} {:?}", request.method(), request.uri(), request.headers());
    assert_eq!(ready.status().as_u16(), expected.status, "{context}");
    let (fields, content_length) = ready.head();
    assert_eq!(String::from_utf8_lossy(fields), lines, "{context}");
    assert!(ready.body() == &expected.body, "{context}");
    let length = match (expected.headers.get(CONTENT_LENGTH), expected.status) {
        (Some(length), _) => Some(length.to_str().unwrap().parse::<u64>().unwrap()),
        (None, 304) => None,
        (None, _) => Some(expected.body.len() as u64),
    };
    let length = length.map_or(String::new(), |length| format!("content-length: {length}\r\n"));
    assert_eq!(String::from_utf8_lossy(content_length), length, "{context}");
    COUNT.fetch_add(1, Ordering::Relaxed);
    true
}

fn request(method: &str, host: &str, path: &str, headers: &[(&str, &str)]) -> Request<()> {
    let request = Request::builder().method(method).uri(path).header(HOST, host);
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).unwrap()
}

/// Whether the answer is ready once the ordinary way has given it.
async fn becomes_ready(edge: &Edge, request: &Request<()>) -> bool {
    let answer = ask(edge, request.clone()).await;
    is_ready(edge, request, &answer)
}

const HEADERS: &str = "/*\n  X-All: :splat\n/docs/*\n  ! ETag\n  Cache-Control: max-age=60\n\
                       https://:host.pages.dev/*\n  X-Host: :host\n/dated\n  Date: today\n";
const REDIRECTS: &str = "/old /new 301\n/rewritten /a.txt 200\n";

fn content(mark: &str) -> Content {
    let files = [
        ("/index.html", format!("<link rel=preload as=style href=/a.css>{mark}")),
        ("/based.html", format!("<base href=/docs/><link rel=preload as=style href=a.css>{mark}")),
        ("/a.txt", format!("a {mark}")),
        ("/docs/page.html", format!("page {mark}")),
        ("/dated", format!("dated {mark}")),
        ("/empty", String::new()),
        ("/404.html", format!("nothing {mark}")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    Content { headers: Some(HEADERS.into()), redirects: Some(REDIRECTS.into()), ..Content::of(&files) }
}

#[tokio::test]
async fn assets_are_ready_once_they_are_in_memory() {
    let house = House::open().await;
    let project = house.project("site").await;
    house.deploy(&project, "main", &content("main")).await;
    house.deploy(&project, "next", &content("next")).await;
    let edge = house.edge().await;
    let cold = request("GET", "site.pages.dev", "/a.txt", &[]);
    assert!(edge.ready(&plain(&cold).unwrap()).is_none(), "nothing is read for it");
    for host in ["site.pages.dev", "next.site.pages.dev", "NEXT.site.pages.dev.:80"] {
        for path in ["/", "/a.txt", "/a.txt?x=y", "/docs/page", "/nowhere", "/docs/nowhere.js"] {
            assert!(becomes_ready(&edge, &request("GET", host, path, &[])).await, "{host}{path}");
            assert!(becomes_ready(&edge, &request("HEAD", host, path, &[])).await, "HEAD {host}{path}");
        }
        for path in ["/old", "/rewritten", "/based", "/dated", "/empty", "/docs/../a.txt", "/a.txt/../a.txt"]
        {
            assert!(!becomes_ready(&edge, &request("GET", host, path, &[])).await, "{host}{path}");
        }
    }
    let tag = ask(&edge, cold.clone()).await.headers["etag"].to_str().unwrap().to_owned();
    let current = request("GET", "site.pages.dev", "/a.txt", &[("if-none-match", &tag)]);
    assert!(becomes_ready(&edge, &current).await);
    assert_eq!(ask(&edge, current).await.status, 304);
    let other = request("GET", "site.pages.dev", "/a.txt", &[("if-none-match", "\"x\"")]);
    assert!(becomes_ready(&edge, &other).await);
    let unacceptable = request("GET", "site.pages.dev", "/a.txt", &[("accept-encoding", "identity;q=0")]);
    assert!(!becomes_ready(&edge, &unacceptable).await);
}

#[tokio::test]
async fn an_activation_takes_what_was_ready_with_it() {
    let house = House::open().await;
    let project = house.project("site").await;
    let first = house.deploy(&project, "main", &content("first")).await;
    let edge = house.edge().await;
    let home = request("GET", "site.pages.dev", "/", &[]);
    assert!(becomes_ready(&edge, &home).await);
    house.deploy(&project, "main", &content("second")).await;
    edge.refresh().await.unwrap();
    assert!(edge.ready(&plain(&home).unwrap()).is_none());
    assert!(becomes_ready(&edge, &home).await);
    // What the first one had at that address is at its own now, as a preview.
    let own = request("GET", &format!("{}.site.pages.dev", first.id.short()), "/", &[]);
    assert!(becomes_ready(&edge, &own).await);
    assert_eq!(ask(&edge, own).await.headers["x-robots-tag"], "noindex");
}

/// A site had nothing at a path, another one had, and then it was back: what is missing now was not missing before.
#[tokio::test]
async fn what_an_earlier_site_has_is_not_missing() {
    let house = House::open().await;
    let project = house.project("site").await;
    let path = "/assets/app.8f3c2a1b.js";
    let (without, with) = (content("x"), Content::of(&[("/index.html", "y"), (path, "script")]));
    house.deploy(&project, "main", &without).await;
    let edge = house.edge().await;
    let script = request("GET", "site.pages.dev", path, &[]);
    assert!(becomes_ready(&edge, &script).await);
    house.deploy(&project, "main", &with).await;
    house.deploy(&project, "main", &without).await;
    edge.refresh().await.unwrap();
    assert!(edge.ready(&plain(&script).unwrap()).is_none());
    assert_eq!(ask(&edge, script).await.body, "script");
}

#[tokio::test]
async fn little_memory_makes_fewer_answers_ready_and_no_wrong_ones() {
    let house = House::open().await;
    let project = house.project("site").await;
    let texts: Vec<(String, String)> = (0..200).map(|n| (format!("/{n}.txt"), format!("text {n}"))).collect();
    let files: Vec<(&str, &str)> = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    house.deploy(&project, "main", &Content::of(&files)).await;
    let edge = house.edge_with(EdgeOptions { cache_bytes: 256 << 10, ..EdgeOptions::new("pages.dev") }).await;
    let mut ready = 0;
    for _ in 0..2 {
        for (path, _) in &texts {
            assert!(becomes_ready(&edge, &request("GET", "site.pages.dev", path, &[])).await, "{path}");
        }
        for (path, _) in &texts {
            ready += usize::from(
                edge.ready(&plain(&request("GET", "site.pages.dev", path, &[])).unwrap()).is_some(),
            );
        }
    }
    assert!(ready > 100, "{ready}");
}

/// Files, `_headers`, `_redirects`, and requests: method, host, path, headers.
type Case = (Vec<&'static str>, Vec<&'static str>, Vec<&'static str>, Vec<(usize, usize, String, usize)>);

const FILES: &[&str] = &[
    "/index.html",
    "/404.html",
    "/docs/index.html",
    "/docs/404.html",
    "/docs/page.html",
    "/a.txt",
    "/a.html",
    "/a",
    "/long.css",
    "/app.8f3c2a1b.js",
    "/x.json",
    "/café.txt",
    "/100%.txt",
];
const RULES: &[&str] = &[
    "/*\n  X-All: :splat\n",
    "/docs/*\n  ! Content-Type\n",
    "/*\n  Cache-Control: no-transform\n",
    "/long.css\n  Content-Encoding: gzip\n",
    "/*\n  ETag: \"mine\"\n",
    "/:name\n  Link: </:name>; rel=preload\n",
    "https://site:n.pages.dev/*\n  X-N: :n\n",
    "/a*\n  Set-Cookie: a=1\n/*\n  Set-Cookie: b=2\n",
    "/*\n  Vary: Origin\n  Access-Control-Allow-Origin: https://x.example\n",
    "/docs/*\n  Date: never\n",
    "/*\n  Content-Length: 3\n  Connection: close\n  Transfer-Encoding: chunked\n",
];
const MOVES: &[&str] =
    &["/a /b 302\n", "/docs/* /:splat 200\n", "/old/* /docs/:splat\n", "/long.css /x.json 200\n"];
const ASKED: &[&str] = &[
    "/",
    "/index.html",
    "/docs",
    "/docs/",
    "/docs/page",
    "/docs/page.html",
    "/a.txt",
    "/a",
    "/a.html",
    "/long.css",
    "/app.8f3c2a1b.js",
    "/x.json",
    "/caf%C3%A9.txt",
    "/100%.txt",
    "/old/page",
    "/none",
    "/docs/none/",
    "/b",
];
const SAID: &[&[(&str, &str)]] = &[
    &[],
    &[],
    &[],
    &[("accept-encoding", "gzip, deflate, br, zstd")],
    &[("accept-encoding", "zstd;q=0.5, gzip")],
    &[("accept-encoding", "br")],
    &[("accept-encoding", "identity")],
    &[("accept-encoding", "*;q=0")],
    &[("if-none-match", "\"mine\"")],
    &[("x-forwarded-proto", "https")],
];

fn cases() -> impl Strategy<Value = Case> {
    let path = (select(ASKED), select(&["", "", "?", "?q=1", "?q=%20&r"][..]))
        .prop_map(|(path, query)| format!("{path}{query}"));
    let asked = (0..3_usize, 0..3_usize, path, 0..SAID.len());
    (
        prop::sample::subsequence(FILES, 0..FILES.len()),
        prop::sample::subsequence(RULES, 0..4),
        prop::sample::subsequence(MOVES, 0..2),
        prop::collection::vec(asked, 20..40),
    )
}

async fn ask_all(house: &House, edges: &[Edge], number: usize, (files, rules, moves, asked): &Case) {
    let name = format!("site{number}");
    let project = house.project(&name).await;
    let long = format!("{number} a line of style that is not the only one {{}}\n").repeat(60);
    let texts: Vec<(&str, &str)> = files
        .iter()
        .map(|path| (*path, if path.ends_with(".css") { long.as_str() } else { *path }))
        .collect();
    let content =
        Content { headers: Some(rules.concat()), redirects: Some(moves.concat()), ..Content::of(&texts) };
    house.deploy(&project, "main", &content).await;
    house.deploy(&project, "next", &content).await;
    house.compress(&long).await;
    for edge in edges {
        edge.refresh().await.unwrap();
        for (method, host, path, said) in asked {
            let host = [
                format!("{name}.pages.dev"),
                format!("next.{name}.pages.dev"),
                format!("{name}.PAGES.dev:80"),
            ][*host]
                .clone();
            let one = request(["GET", "GET", "HEAD"][*method], &host, path, SAID[*said]);
            let answer = ask(edge, one.clone()).await;
            if let Some(tag) = answer.headers.get("etag") {
                let again = request("GET", &host, path, &[("if-none-match", tag.to_str().unwrap())]);
                becomes_ready(edge, &again).await;
            }
            becomes_ready(edge, &one).await;
        }
    }
}

#[test]
fn what_is_ready_is_the_ordinary_answer_whatever_the_site_and_the_request() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let house = runtime.block_on(House::open());
    let edges = [runtime.block_on(house.edge()), runtime.block_on(house.strict_edge())];
    let number = Cell::new(0);
    let before = COUNT.load(Ordering::Relaxed);
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&cases(), |case| {
        number.set(number.get() + 1);
        runtime.block_on(ask_all(&house, &edges, number.get(), &case));
        Ok(())
    });
    ran.unwrap();
    let ready = COUNT.load(Ordering::Relaxed) - before;
    assert!(ready > 500, "only {ready} answers were ready");
}
