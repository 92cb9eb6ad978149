//! What a scraper reads at `/metrics`: every line is of the format, and says what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::{Site, TestServer, projects, skip};

const HOST: &str = "demo.pages.localhost";

async fn server_with_site() -> TestServer {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    Site::page("front").deploy(&api, "demo").await;
    server
}

async fn scrape(server: &TestServer) -> String {
    let answer = server.site("127.0.0.1", "/metrics").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    answer.text().await.unwrap()
}

/// The samples by name and labels as written, once every rule of the format was checked.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let (mut samples, mut families) = (BTreeMap::new(), BTreeMap::new());
    let mut family = String::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("help has a text");
            assert!(help.ends_with('.') && is_name(name), "{line}");
            assert!(!families.contains_key(name), "{name} comes twice");
            family = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, family, "help and type go together");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            families.insert(name.to_owned(), kind.to_owned());
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
            let name = series.split('{').next().unwrap();
            let suffix = name.strip_prefix(&family).unwrap_or_else(|| panic!("{line} is not of {family}"));
            let suffixes: &[&str] =
                if families[&family] == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(suffixes.contains(&suffix) && is_name(name), "{line}");
            labels(series);
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(value >= 0.0 && value.is_finite(), "{line}");
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} comes twice");
        }
    }
    samples
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The labels of a series; one that is not written as it must be fails the test.
fn labels(series: &str) -> BTreeMap<&str, &str> {
    let Some((_, rest)) = series.split_once('{') else { return BTreeMap::new() };
    let pairs = rest.strip_suffix('}').expect("labels end").split(',');
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once("=\"").expect("a label has a value");
            let value = value.strip_suffix('"').expect("quotes end");
            assert!(is_name(name) && !value.contains(['"', '\\', '\n']), "{series}");
            (name, value)
        })
        .collect()
}

#[tokio::test]
async fn requests_are_counted_by_who_answered_how() {
    let server = server_with_site().await;
    let before = parse(&scrape(&server).await);
    let count = |samples: &BTreeMap<String, f64>, labels: &str| {
        let series = format!("offprint_http_requests_total{{{labels}}}");
        samples.get(&series).copied().unwrap_or_default()
    };
    for _ in 0..5 {
        server.page(HOST, "/").await;
    }
    for path in ["/nothing", "/nothing?with=a&query", "/index"] {
        server.site(HOST, path).await;
    }
    server.api().get(&projects()).ok().await;
    let after = parse(&scrape(&server).await);
    let grown = |labels: &str| count(&after, labels) - count(&before, labels);
    let front: f64 = ["hit", "miss", "stream"]
        .iter()
        .map(|cache| grown(&format!(r#"surface="site",status="200",cache="{cache}""#)))
        .sum();
    // A site without a page for it shows its front page.
    assert_eq!(front, 7.0, "{after:?}");
    assert_eq!(grown(r#"surface="site",status="308",cache="none""#), 1.0);
    // The scrape before counts too, once it has been answered.
    assert_eq!(grown(r#"surface="platform",status="200",cache="none""#), 2.0);
    assert!(after["offprint_connections_accepted_total"] >= 1.0);
    assert!(after["offprint_connections_open"] >= 1.0);
    assert!(after["process_start_time_seconds"] > 1.7e9);
}

#[tokio::test]
async fn no_client_makes_a_series() {
    let server = server_with_site().await;
    let allowed: BTreeSet<&str> = ["surface", "status", "cache", "kind", "le", "version"].into();
    for n in 0..50 {
        server.site(&format!("host{n}.pages.localhost"), &format!("/path{n}?query{n}")).await;
        server.site(HOST, &format!("/path{n}")).await;
        server.site("127.0.0.1", &format!("/client/v4/path{n}")).await;
    }
    let text = scrape(&server).await;
    for series in parse(&text).keys() {
        let labels = labels(series);
        assert!(labels.keys().all(|name| allowed.contains(name)), "{series}");
    }
    assert!(!text.contains("path1") && !text.contains("host1") && !text.contains("demo"), "{text}");
}

#[tokio::test]
async fn buckets_grow_to_the_count() {
    let server = server_with_site().await;
    server.page(HOST, "/").await;
    let samples = parse(&scrape(&server).await);
    let name = "offprint_http_request_duration_seconds";
    let counts: Vec<_> =
        samples.iter().filter(|(series, _)| series.starts_with(&format!("{name}_count"))).collect();
    assert!(!counts.is_empty());
    for (series, count) in counts {
        let labels = series.strip_prefix(&format!("{name}_count{{")).unwrap().trim_end_matches('}');
        let bucket = |le: &str| samples[&format!("{name}_bucket{{{labels},le=\"{le}\"}}")];
        assert_eq!(bucket("+Inf"), *count, "{series}");
        assert!(bucket("0.00005") <= bucket("0.1") && bucket("0.1") <= bucket("10"), "{series}");
        assert_eq!(samples[&format!("offprint_http_requests_total{{{labels}}}")], *count);
        assert!(samples[&format!("{name}_sum{{{labels}}}")] <= count * 60.0);
    }
}

/// Prometheus' own judge, where it is installed (Debian: prometheus); the parser above is always there.
#[tokio::test]
async fn promtool_finds_nothing_wrong() {
    let server = server_with_site().await;
    server.page(HOST, "/").await;
    let text = scrape(&server).await;
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        return skip("promtool is not installed (Debian has it in the package prometheus)");
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    assert!(said.status.success(), "{said:?}\n{text}");
}
