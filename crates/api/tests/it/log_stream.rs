//! The log as it is written: `…/history/logs/stream`.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures_util::StreamExt;
use offprint_model::deployment::LogLine;
use offprint_model::stages::{StageEnd, StageName};
use offprint_store::{Clock, Lease};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::{ACCOUNT, Api, demo, deployments};

/// An event: id, kind, data.
type Event = (Option<u64>, String, Value);

/// Somebody who follows.
struct Reader {
    body: BodyDataStream,
    text: String,
}

impl Reader {
    async fn open(api: &Api, id: &str, query: &str, last_id: Option<&str>) -> Self {
        let path = demo(&format!("/deployments/{id}/history/logs/stream{query}")).replace("{a}", ACCOUNT);
        let mut request = Request::get(format!("/client/v4{path}"));
        request = request.header("authorization", api.read_authorization());
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = api.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event; `None` at the end. Comments and the advice when to come again are passed over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    block
                        .lines()
                        .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
                };
                if let (Some(kind), Some(data)) = (field("event"), field("data")) {
                    let id = field("id").map(|id| id.parse().unwrap());
                    return Some((id, kind, serde_json::from_str(&data).unwrap()));
                }
            }
            let piece = tokio::time::timeout(Duration::from_secs(20), self.body.next()).await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
        }
    }

    async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

async fn begin(api: &Api) -> (Lease, String) {
    api.built_project().await;
    let built = api.writer().post_empty(&deployments("demo")).await.result();
    (api.claim_build().await.unwrap(), built["id"].as_str().unwrap().to_owned())
}

async fn write(api: &Api, lease: &Lease, texts: &[&str]) {
    let lines: Vec<LogLine> =
        texts.iter().map(|text| LogLine { at: Clock::now(), text: (*text).to_owned() }).collect();
    api.store.append_log(lease, &lines).await.unwrap();
}

async fn fail(api: &Api, lease: &Lease) {
    let stages = api.store.work(lease).await.unwrap().deployment.stages;
    let ended = stages.end(StageName::Queued, StageEnd::Failure, Clock::now()).unwrap();
    api.store.finish_failed(lease, ended).await.unwrap();
}

fn kinds(events: &[Event]) -> Vec<(Option<u64>, &str)> {
    events.iter().map(|(id, kind, _)| (*id, kind.as_str())).collect()
}

#[tokio::test]
async fn lines_come_as_they_are_written_and_the_end_after_them() {
    let api = Api::start().await;
    let (lease, id) = begin(&api).await;
    let mut reader = Reader::open(&api, &id, "", None).await;
    let (_, kind, stage) = reader.next().await.unwrap();
    assert_eq!((&*kind, &stage["name"], &stage["status"]), ("stage", &json!("queued"), &json!("active")));
    write(&api, &lease, &["one", "two\u{2028}\"quoted\""]).await;
    let (first, _, line) = reader.next().await.unwrap();
    assert_eq!((first, &line["line"]), (Some(1), &json!("one")));
    assert!(line["ts"].as_str().unwrap().ends_with('Z'));
    let (second, _, line) = reader.next().await.unwrap();
    assert_eq!((second, &line["line"]), (Some(2), &json!("two\u{2028}\"quoted\"")));
    write(&api, &lease, &["three"]).await;
    fail(&api, &lease).await;
    let rest = reader.rest().await;
    assert_eq!(kinds(&rest), [(Some(3), "line"), (None, "stage"), (None, "end")]);
    assert_eq!(rest[1].2["status"], "failure");
    assert_eq!(rest[2].2, json!({"status": "failure"}));
}

#[tokio::test]
async fn a_reader_goes_on_where_it_was() {
    let api = Api::start().await;
    let (lease, id) = begin(&api).await;
    write(&api, &lease, &["1", "2", "3", "4"]).await;
    fail(&api, &lease).await;
    for (query, header, first) in [
        ("", None, 1),
        ("?after=0", None, 1),
        ("?after=2", None, 3),
        ("?after=1", Some("3"), 4),
        ("", Some("4"), 5),
    ] {
        let events = Reader::open(&api, &id, query, header).await.rest().await;
        let lines: Vec<u64> = events.iter().filter_map(|(id, ..)| *id).collect();
        assert_eq!(lines, (first..=4).collect::<Vec<u64>>(), "{query} {header:?}");
        assert_eq!(events.last().unwrap().1, "end");
    }
}

#[tokio::test]
async fn a_long_log_comes_whole() {
    let api = Api::start().await;
    let (lease, id) = begin(&api).await;
    let texts: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
    write(&api, &lease, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    fail(&api, &lease).await;
    let events = Reader::open(&api, &id, "", None).await.rest().await;
    let lines: Vec<&str> = events.iter().filter_map(|(_, _, data)| data["line"].as_str()).collect();
    assert_eq!(lines, texts);
    assert_eq!(kinds(&events[1000..]), [(None, "stage"), (None, "end")]);
}

#[tokio::test]
async fn a_stream_that_cannot_be_is_an_enveloped_refusal() {
    let api = Api::start().await;
    let (_, id) = begin(&api).await;
    let stream = |id: &str, query: &str| demo(&format!("/deployments/{id}/history/logs/stream{query}"));
    assert_eq!(api.reader().get(&stream("nobody", "")).await.refusal(), (404, 8_000_009));
    assert_eq!(api.reader().get(&stream(&id, "?after=x")).await.refusal(), (400, 8_000_006));
    assert_eq!(api.anonymous().get(&stream(&id, "")).await.refusal(), (400, 9106));
}

#[tokio::test]
async fn streams_end_when_the_server_stops_and_when_the_deployment_goes() {
    let api = Api::start().await;
    let (_, id) = begin(&api).await;
    let (mut one, mut other) =
        (Reader::open(&api, &id, "", None).await, Reader::open(&api, &id, "", None).await);
    one.next().await.unwrap();
    other.next().await.unwrap();
    api.writer().delete(&demo(&format!("/deployments/{id}?force=true"))).await.ok();
    assert_eq!(one.next().await, None);
    assert_eq!(other.next().await, None);
    let built = api.writer().post_empty(&deployments("demo")).await.result();
    let mut third = Reader::open(&api, built["id"].as_str().unwrap(), "", None).await;
    third.next().await.unwrap();
    api.stop.cancel();
    assert_eq!(third.next().await, None);
}
