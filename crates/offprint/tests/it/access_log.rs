//! The access log: a line of JSON about every request, in a file that may be moved away.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Site, TOKEN, TestDirectory, TestServer, projects};

const HOST: &str = "demo.pages.localhost";

/// A server with a site and a log, and where the log is.
async fn server(settings: &[(&str, &str)]) -> (TestServer, TestDirectory, PathBuf) {
    let directory = TestDirectory::new();
    let log = directory.path().join("access.log");
    let path = log.display().to_string();
    let settings: Vec<_> = settings.iter().copied().chain([("OFFPRINT_ACCESS_LOG", &*path)]).collect();
    let server = TestServer::start_with(&settings).await;
    let api = server.api();
    api.create_project("demo").await;
    Site::page("front").asset("/large.bin", vec![7; 3 << 20]).deploy(&api, "demo").await;
    (server, directory, log)
}

fn lines(log: &PathBuf) -> Vec<Value> {
    let text = fs::read_to_string(log).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// Waits for a line about this path.
async fn line_about(log: &PathBuf, path: &str) -> Value {
    for _ in 0..1500 {
        // The last line may not be written to its end yet.
        let text = fs::read_to_string(log).unwrap_or_default();
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let found = whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .find(|line: &Value| line["path"] == path);
        if let Some(line) = found {
            return line;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("there is no line about {path}");
}

#[tokio::test]
async fn requests_are_logged_with_what_came_of_them_and_without_secrets() {
    let (mut server, _directory, log) = server(&[]).await;
    let large = server.site(HOST, "/large.bin?with=query").await.bytes().await.unwrap();
    assert_eq!(large.len(), 3 << 20);
    server.api().get(&projects()).header("cookie", "crumb=hush").ok().await;
    let line = line_about(&log, "/large.bin").await;
    assert_eq!(
        (&line["status"], &line["bytes"], &line["method"]),
        (&200.into(), &(3 << 20).into(), &"GET".into())
    );
    assert_eq!((&line["surface"], &line["query"]), (&"site".into(), &"with=query".into()));
    assert!(["miss", "stream"].contains(&line["cache"].as_str().unwrap()), "{line}");
    assert_eq!((&line["host"], &line["protocol"]), (&HOST.into(), &"HTTP/1.1".into()));
    assert!(line["remote"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert!(line["duration_us"].as_u64().unwrap() > 0);
    let line = line_about(&log, &format!("/client/v4{}", projects())).await;
    assert_eq!((&line["surface"], &line["cache"]), (&"platform".into(), &"none".into()));
    let text = fs::read_to_string(&log).unwrap();
    assert!(!text.contains(TOKEN) && !text.contains("crumb"), "{text}");
    server.ask_to_stop();
    assert!(server.stopped().await);
}

#[tokio::test]
async fn every_line_is_written_before_the_server_ends() {
    let (mut server, _directory, log) = server(&[]).await;
    let before = lines(&log).len();
    let ask = |n: usize| {
        let server = &server;
        async move { server.page(HOST, &format!("/?{n}")).await }
    };
    futures_util::future::join_all((0..300).map(ask)).await;
    server.ask_to_stop();
    assert!(server.stopped().await, "{}", server.log());
    let lines = lines(&log);
    assert!(lines.len() >= before + 300);
    let mut asked: Vec<usize> =
        lines.iter().filter_map(|line| line["query"].as_str()?.parse().ok()).collect();
    asked.sort_unstable();
    assert_eq!(asked, (0..300).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_opened_anew_at_a_hangup() {
    let (server, directory, log) = server(&[]).await;
    server.page(HOST, "/?before").await;
    line_about(&log, "/").await;
    let moved = directory.path().join("access.log.1");
    fs::rename(&log, &moved).unwrap();
    server.signal("HUP");
    for _ in 0..1500 {
        if log.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.site(HOST, "/after").await;
    line_about(&log, "/after").await;
    assert!(!fs::read_to_string(&moved).unwrap().contains("/after"));
    assert!(!fs::read_to_string(&log).unwrap().contains("before"));
}

#[tokio::test]
async fn a_sample_is_a_share() {
    let (mut server, _directory, log) = server(&[("OFFPRINT_ACCESS_LOG_SAMPLE", "0.1")]).await;
    for n in 0..200 {
        server.page(HOST, &format!("/?{n}")).await;
    }
    server.ask_to_stop();
    server.stopped().await;
    let sampled = lines(&log).iter().filter(|line| line["query"].is_string()).count();
    assert!((15..=25).contains(&sampled), "{sampled}");
}

#[tokio::test]
async fn a_log_that_cannot_be_written_loses_lines_and_nothing_else() {
    // Writing to this device fails as on a full disk.
    let server = TestServer::start_with(&[("OFFPRINT_ACCESS_LOG", "/dev/full")]).await;
    let api = server.api();
    api.create_project("demo").await;
    Site::page("front").deploy(&api, "demo").await;
    for n in 0..2000 {
        assert_eq!(server.page(HOST, &format!("/?{n}")).await, "front");
    }
    assert_eq!(server.log().matches("cannot write the access log").count(), 1);
    let metrics = server.page("127.0.0.1", "/metrics").await;
    let dropped =
        metrics.lines().find_map(|line| line.strip_prefix("offprint_access_log_lines_dropped_total "));
    assert!(dropped.unwrap().parse::<u64>().unwrap() > 0, "{metrics}");
}
