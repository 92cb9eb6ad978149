use std::fs;

use http::HeaderValue;
use serde_json::{Value, json};

use super::*;
use crate::server::metrics::Metrics;

/// The lines that come of this.
async fn lines(make: impl FnOnce(&Arc<Writer>)) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("access.log");
    let writer = Arc::new(Writer::start(Some(&file), Arc::new(Metrics::default())).unwrap());
    make(&writer);
    writer.stop().unwrap().await.unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn begin<B>(request: &Request<B>, writer: &Arc<Writer>) -> Line {
    Line::begin(request, "192.0.2.7:4711".parse().unwrap(), Instant::now(), Arc::clone(writer))
}

#[tokio::test]
async fn a_line_says_what_was_asked_and_what_came_of_it() {
    let made = lines(|writer| {
        let request = Request::get("/a%20b?x=1&y=/deploy_hooks/z")
            .header("host", "Demo.example:8080")
            .header("user-agent", "test/1")
            .header("referer", "https://elsewhere.example/")
            .header("authorization", "Bearer hush")
            .header("cookie", "hush=1")
            .body(())
            .unwrap();
        let response = Response::builder().status(206).header("content-encoding", "br").body(()).unwrap();
        let mut line = begin(&request, writer);
        line.answered(Surface::Site, CacheOutcome::Hit, &response);
        line.bytes = 42;
    })
    .await;
    let mut line = made.into_iter().next().unwrap();
    let time = line["time"].take();
    assert!(time.as_str().unwrap().len() == "2026-01-01T00:00:00.000Z".len(), "{time}");
    assert!(line["duration_us"].take().is_u64());
    let expected = json!({
        "time": null, "remote": "192.0.2.7:4711", "protocol": "HTTP/1.1", "method": "GET",
        "host": "Demo.example:8080", "path": "/a%20b", "query": "x=1&y=/deploy_hooks/z",
        "user_agent": "test/1", "referer": "https://elsewhere.example/",
        "surface": "site", "status": 206, "cache": "hit", "content_encoding": "br",
        "bytes": 42, "duration_us": null,
    });
    assert_eq!(line, expected);
}

#[tokio::test]
async fn a_client_that_goes_before_the_answer_leaves_a_line_without_one() {
    let made =
        lines(|writer| drop(begin(&Request::get("http://a.example/").body(()).unwrap(), writer))).await;
    assert_eq!((&made[0]["host"], &made[0]["bytes"]), (&json!("a.example"), &json!(0)));
    assert!(made[0].get("status").is_none());
}

#[tokio::test]
async fn hostile_text_stays_one_line_of_json_of_bounded_length() {
    let made = lines(|writer| {
        for value in [&b"\"}\\{\t"[..], b"\xff\xfe\x80", "\u{2028}\u{202e}é".as_bytes(), &[b'a'; 60_000]] {
            let mut request = Request::new(());
            request.headers_mut().insert(USER_AGENT, HeaderValue::from_bytes(value).unwrap());
            drop(begin(&request, writer));
        }
    })
    .await;
    let agents: Vec<_> = made.iter().map(|line| line["user_agent"].as_str().unwrap()).collect();
    assert_eq!(agents[..3], ["\"}\\{\t", "\u{fffd}\u{fffd}\u{fffd}", "\u{2028}\u{202e}é"]);
    assert_eq!(agents[3].chars().count(), TEXT_BYTES_MAX + 1);
}

#[tokio::test]
async fn the_secret_in_the_address_of_a_hook_or_a_tail_is_left_out() {
    let made = lines(|writer| {
        let hook = Request::post("/client/v4/pages/webhooks/deploy_hooks/hush-hush").body(()).unwrap();
        drop(begin(&hook, writer));
        drop(begin(&Request::get("/client/v4/pages/tails/hush-hush").body(()).unwrap(), writer));
    })
    .await;
    assert_eq!(made[0]["path"], "/client/v4/pages/webhooks/deploy_hooks/…");
    assert_eq!(made[1]["path"], "/client/v4/pages/tails/…");
}

#[test]
fn a_cut_does_not_tear_a_character() {
    let text = "é".repeat(TEXT_BYTES_MAX);
    let odd = format!("a{text}");
    assert_eq!(cut(text.as_str().into()).len(), TEXT_BYTES_MAX + "…".len());
    assert_eq!(cut(odd.as_str().into()).len(), TEXT_BYTES_MAX - 1 + "…".len());
}
