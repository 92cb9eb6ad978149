//! A request never leaves its manifest: whatever the target, the answer is made of the site that the host
//! leads to, and a redirect stays on that site unless a rule of it names another one.

use std::cell::Cell;
use std::collections::HashMap;

use http::{Method, Request};
use offprint_edge::{Destination, Edge};
use offprint_model::name::Hostname;
use offprint_model::request_path::{RequestTarget, decode_path};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use crate::house::{Content, House, ask};

/// All sites have these, each with a text of its own.
const PATHS: &[&str] = &[
    "/index.html",
    "/docs/index.html",
    "/docs/page.html",
    "/a",
    "/a.html",
    "/x.html.html",
    "/caf\u{e9}.txt",
    "/100%.txt",
    "/a b",
    "/%2e%2e",
    "/.well-known/x",
    "/assets/app.8f3c2a1b.js",
];
const REDIRECTS: &str = "/old/* /new/:splat 301\n/back/* /:splat\n/:a/jump/:b /:b/:a 307\n\
                         /rewrite/* /:splat 200\n/up/* /docs/../:splat 200\n/away/* https://else.example/:splat\n";
const HEADERS: &str = "/*\n  X-Path: :splat\n/:first/*\n  X-First: :first\n";

/// A host, what its bodies begin with, and what else is kept there of an earlier deployment.
struct Site {
    host: &'static str,
    mark: &'static str,
    has_404_pages: bool,
    kept: Option<(&'static str, &'static str)>,
}

const SITES: &[Site] = &[
    Site {
        host: "alpha.pages.dev",
        mark: "alpha",
        has_404_pages: true,
        kept: Some(("/assets/gone.0d1e2f3a.js", "before")),
    },
    Site {
        host: "www.alpha.example",
        mark: "alpha",
        has_404_pages: true,
        kept: Some(("/assets/gone.0d1e2f3a.js", "before")),
    },
    Site { host: "next.alpha.pages.dev", mark: "preview", has_404_pages: false, kept: None },
    Site { host: "beta.pages.dev", mark: "beta", has_404_pages: false, kept: None },
];

fn content(mark: &str, more: &[&str]) -> Content {
    let assets: Vec<(String, String)> =
        PATHS.iter().chain(more).map(|path| ((*path).to_owned(), format!("{mark}:{path}"))).collect();
    let borrowed: Vec<(&str, &str)> =
        assets.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Content { redirects: Some(REDIRECTS.into()), headers: Some(HEADERS.into()), ..Content::of(&borrowed) }
}

const NOT_FOUND: &[&str] = &["/404.html", "/docs/404.html"];

async fn build() -> (House, Edge) {
    let house = House::open().await;
    let alpha = house.project("alpha").await;
    let beta = house.project("beta").await;
    house.add_domain(&alpha, &Hostname::parse("www.alpha.example").unwrap()).await;
    let before = content("before", &["/assets/gone.0d1e2f3a.js", "/gone.html", "/gone.txt", "/404.html"]);
    house.deploy(&alpha, "main", &before).await;
    house.deploy(&alpha, "main", &content("alpha", NOT_FOUND)).await;
    house.deploy(&alpha, "next", &content("preview", &[])).await;
    house.deploy(&beta, "main", &content("beta", &[])).await;
    let edge = house.edge().await;
    (house, edge)
}

/// One request for one of [`SITES`].
#[derive(Clone, Debug)]
struct Ask {
    site: usize,
    method: Method,
    target: Vec<u8>,
    /// How the host is written: letters to turn, what follows it.
    turned: u32,
    port: &'static str,
    /// In the target, with this site's name in the header.
    absolute: Option<usize>,
}

const TRICKS: &[&str] = &[
    "/", "//", "/./", "/../", "..", ".", "\\", "..\\", "%2f", "%2F", "%5c", "%2e", "%2E%2e", "%252e", "%00",
    "%09", "%", "%zz", "%20", "%25", "%ff", "%C0%AF", "%c3%a9", "%u002e", ";", "@", ":", ":80", "&", "$&",
    "$'", "$`", "?", "?x=", "#", "*", "+", "~", "\u{e9}", "{}", "|", "^", "<", "\"",
];
const WORDS: &[&str] = &[
    "docs",
    "page",
    "a",
    "a.html",
    "index",
    "index.html",
    ".html",
    "404",
    "404.html",
    "x.html",
    "100%.txt",
    "assets/app.8f3c2a1b.js",
    "assets/gone.0d1e2f3a.js",
    "gone",
    "gone.txt",
    "gone.html",
    "_redirects",
    "_headers",
    "old/",
    "back/",
    "rewrite/",
    "up/",
    "away/",
    "/jump/",
    "beta",
    "alpha",
    "beta.pages.dev",
    "else.example",
    "https://",
    "http://beta.pages.dev",
    "etc/passwd",
    "blobs",
    ".well-known/x",
];
/// Before a path that exists they change nothing, or lead to it.
const WAYS: &[&str] = &["", "", "", "/", "/rewrite", "/up", "/back", "/old", "/away", "/docs/..", "/x/jump"];
const GONE: &[&str] = &["/assets/gone.0d1e2f3a.js", "/gone", "/gone.html", "/gone.txt", "/docs/none/x"];

fn targets() -> impl Strategy<Value = Vec<u8>> {
    let long = (select(&["/a", "/..", "%2e", "x", "/index"][..]), 100..1500_usize)
        .prop_map(|(text, times)| text.repeat(times));
    let piece = prop_oneof![
        8 => select(TRICKS).prop_map(str::to_owned),
        8 => select(WORDS).prop_map(str::to_owned),
        1 => "[!-~]{1,6}",
        1 => long,
    ];
    let first = select(&["/", "/", "/", "/", "//", "/\\", "/docs/", "", "*", "?"][..]);
    let anything = (first, prop::collection::vec(piece, 0..8))
        .prop_map(|(first, pieces)| format!("{first}{}", pieces.concat()).into_bytes());
    let paths = [PATHS, GONE].concat();
    let nearly =
        (select(WAYS), select(paths), prop::option::of((any::<prop::sample::Index>(), select(TRICKS))))
            .prop_map(|(way, path, trick)| {
                let mut target = format!("{way}{path}").into_bytes();
                if let Some((at, trick)) = trick {
                    let at = at.index(target.len() + 1);
                    target.splice(at..at, trick.bytes());
                }
                target
            });
    prop_oneof![anything, nearly]
}

fn asks() -> impl Strategy<Value = Ask> {
    let get_mostly = prop_oneof![
        8 => Just(Method::GET),
        2 => select(&[Method::HEAD, Method::POST, Method::OPTIONS][..]),
    ];
    let port = select(&["", "", "", ":80", ":8788", ":", ".", ".:443"][..]);
    let absolute = prop::option::weighted(0.2, 0..SITES.len());
    (0..SITES.len(), get_mostly, targets(), any::<u32>(), port, absolute).prop_map(
        |(site, method, target, turned, port, absolute)| Ask { site, method, target, turned, port, absolute },
    )
}

impl Ask {
    fn host(&self) -> String {
        let turn = |(at, letter): (usize, char)| {
            if self.turned >> (at % 32) & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
        };
        SITES[self.site].host.chars().enumerate().map(turn).collect::<String>() + self.port
    }

    /// `None` where the HTTP library itself refuses the target.
    fn request(&self) -> Option<Request<()>> {
        let (target, host) = match self.absolute {
            None => (self.target.clone(), self.host()),
            Some(other) => {
                ([b"http://", self.host().as_bytes(), &self.target].concat(), SITES[other].host.to_owned())
            }
        };
        Request::builder().method(&self.method).uri(target).header("host", host).body(()).ok()
    }
}

/// Whom a request is for: the host in its target goes before the header.
fn named_site(request: &Request<()>) -> Option<&'static Site> {
    let header = || request.headers()["host"].to_str().unwrap();
    let host = request.uri().authority().map_or_else(header, |authority| authority.as_str()).to_lowercase();
    let name = host.split(':').next().unwrap().trim_end_matches('.');
    SITES.iter().find(|site| site.host == name)
}

/// Asks, and says whether a site answered.
async fn check(edge: &Edge, wanted: &Ask, texts: &HashMap<&str, Vec<String>>) -> Result<bool, TestCaseError> {
    let Some(request) = wanted.request() else { return Ok(false) };
    if !matches!(edge.destination(&request), Destination::Site(_)) {
        return Ok(false);
    }
    let site = named_site(&request);
    let raw = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let path = RequestTarget::parse(&raw).path.into_owned();
    let answer = ask(edge, request).await;
    let body = String::from_utf8(answer.body.to_vec()).unwrap();
    let Some(site) = site else {
        prop_assert!(
            body.is_empty() || body.contains("There is no site here"),
            "{} for nobody: {}",
            raw,
            body
        );
        return Ok(false);
    };

    let location = answer.headers.get("location").map(|location| location.to_str().unwrap());
    if let Some(location) = location {
        let stays = location.starts_with('/') && !location[1..].starts_with(['/', '\\']);
        let was_told = location.starts_with("https://else.example/") && path.starts_with("/away/");
        prop_assert!(stays || was_told, "{} leads to {}", raw, location);
        prop_assert!((300..400).contains(&answer.status));
    }
    let is_redirect = location.is_some_and(|location| body == format!("Redirecting to {location}"));
    let is_kept = site.kept.is_some_and(|(kept, mark)| {
        let named = rewritten(&path).unwrap_or_else(|| path.clone());
        decode_path(&named).ends_with(kept) && body == format!("{mark}:{kept}")
    });
    let is_own = texts[site.mark].contains(&body);
    prop_assert!(body.is_empty() || is_redirect || is_kept || is_own, "{} on {}: {}", raw, site.host, body);
    if is_own && answer.status == 404 {
        prop_assert!(site.has_404_pages && body.ends_with("404.html"), "{}", body);
    }
    if answer.status == 200 && wanted.method == Method::GET {
        prop_assert!(is_own || is_kept, "{} on {}", raw, site.host);
    }
    prop_assert!(matches!(answer.status, 200 | 301 | 302 | 307 | 308 | 404 | 405), "{}", answer.status);
    Ok(true)
}

/// The path that the rewrites of [`REDIRECTS`] hand on. The splat goes in as JavaScript's `replace` does it, and one slash is
/// made of several (serving rules, "Redirect rules at run time").
fn rewritten(path: &str) -> Option<String> {
    let rules = [("/up/", "/docs/../"), ("/rewrite/", "/")];
    let (before, splat) = rules.iter().find_map(|(from, to)| Some((*to, path.strip_prefix(from)?)))?;
    let mut text = before.to_owned();
    let mut rest = splat;
    while let Some((head, tail)) = rest.split_once('$') {
        text.push_str(head);
        let insert = match tail.chars().next() {
            Some('$') => "$",
            Some('&') => ":splat",
            Some('`') => before,
            Some('\'') => "",
            _ => {
                text.push('$');
                rest = tail;
                continue;
            }
        };
        text.push_str(insert);
        rest = &tail[1..];
    }
    text.push_str(rest);
    let mut characters: Vec<char> = text.chars().collect();
    characters.dedup_by(|next, before| *next == '/' && *before == '/');
    Some(characters.into_iter().collect())
}

#[test]
fn a_request_never_leaves_its_manifest() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (_house, edge) = runtime.block_on(build());
    let texts: HashMap<&str, Vec<String>> = SITES
        .iter()
        .map(|site| {
            let more = if site.has_404_pages { NOT_FOUND } else { &[] };
            (site.mark, PATHS.iter().chain(more).map(|path| format!("{}:{path}", site.mark)).collect())
        })
        .collect();
    let (cases, answered) = (4000, Cell::new(0));
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let result = runner.run(&asks(), |wanted| {
        let by_site = runtime.block_on(check(&edge, &wanted, &texts))?;
        answered.set(answered.get() + u32::from(by_site));
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, wanted)) => {
            panic!("{reason}\n{wanted:?}\ntarget: {}", String::from_utf8_lossy(&wanted.target))
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    println!("{} of {cases} targets reached a site", answered.get());
    // The rest is refused before any site is asked.
    assert!(answered.get() > cases / 2, "only {} of {cases} reached a site", answered.get());
}
