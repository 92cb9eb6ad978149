//! Webhooks: signed, made again when they fail, and their outcome on record.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};

use crate::support::{TestServer, id};

const SECRET: &str = "a secret of the subscriber";

type Heard = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// Somebody who is called, and fails the first time.
async fn subscriber() -> (String, Heard) {
    let heard = Heard::default();
    let hear = async |State(heard): State<Heard>, headers: HeaderMap, body: String| {
        let mut heard = heard.lock().unwrap();
        heard.push((headers, body));
        if heard.len() == 1 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::NO_CONTENT }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new().route("/hook", post(hear)).with_state(heard.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, heard)
}

fn is_signed(headers: &HeaderMap, body: &str) -> bool {
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, format!("{}.{body}", text("x-offprint-timestamp")).as_bytes());
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    text("x-offprint-signature") == format!("sha256={digits}")
}

#[tokio::test]
async fn an_address_is_one_that_all_who_read_may_know() {
    let server = TestServer::start().await;
    let api = server.deploys().await;
    let hook =
        api.post("/webhook-subscriptions", json!({ "name": "h", "url": "https://a.example/@:" })).await;
    let path = format!("/webhook-subscriptions/{}", id(&hook.made()));
    for url in
        ["a.example", "ftp://a.example/", "https://", "https://ada@a.example/", "https://:pw@a.example/"]
    {
        let new = json!({ "name": "h", "url": url });
        assert_eq!(api.post("/webhook-subscriptions", new).await.refused(400), "url", "{url}");
        assert_eq!(api.patch(&path, json!({ "url": url })).await.refused(400), "url", "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_hears_what_it_asked_for_until_it_has_heard() {
    let (address, heard) = subscriber().await;
    let server = TestServer::start_with(&[("OFFPRINT_BUILD_ALLOW", &address)]).await;
    let api = server.deploys().await;
    let url = format!("http://{address}/hook");
    let new = json!({ "name": "hook", "url": url, "secret": SECRET, "filter": ["deploy.c*"] });
    let hook = api.post("/webhook-subscriptions", new).await.made();
    let path = format!("/webhook-subscriptions/{}", id(&hook));
    assert!(!api.get(&path).await.ok().to_string().contains(SECRET));
    let (_, version) = api.app("Hooked", &[("index.html", "x")]).await;
    let deploy = api.deploy(&api.build(&version).await).await;
    for _ in 0..500 {
        if heard.lock().unwrap().len() >= 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let calls = heard.lock().unwrap().clone();
    assert!(calls.iter().all(|(headers, body)| is_signed(headers, body)));
    let bodies: Vec<Value> = calls.iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect();
    let times = |kind: &str| bodies.iter().filter(|body| body["type"] == kind).count();
    assert_eq!((times("deploy.created"), times("deploy.completed"), calls.len()), (2, 1, 3), "{bodies:?}");
    assert!(bodies.iter().all(|body| body["subjectId"] == deploy["id"]));

    api.patch(&path, json!({ "enabled": false })).await.ok();
    api.post(&format!("{path}/test"), json!({})).await.ok();
    let outcomes = format!("/events?subject_id={}", id(&hook));
    for _ in 0..500 {
        let events = api.get(&outcomes).await.ok();
        let kinds: Vec<&str> =
            events["data"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
        if kinds.iter().filter(|kind| **kind == "webhook.delivery_completed").count() == 3 {
            assert_eq!(kinds.iter().filter(|kind| **kind == "webhook.delivery_failed").count(), 1);
            api.delete(&path).await.ok();
            api.get(&path).await.refused(404);
            assert!(!server.log().contains(SECRET));
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the outcomes are not on record");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_secret_any_more_is_not_signed() {
    let (address, heard) = subscriber().await;
    let server = TestServer::start_with(&[("OFFPRINT_BUILD_ALLOW", &address)]).await;
    let api = server.deploys().await;
    let new = json!({ "name": "hook", "url": format!("http://{address}/hook"), "secret": SECRET });
    let path =
        format!("/webhook-subscriptions/{}", id(&api.post("/webhook-subscriptions", new).await.made()));
    api.patch(&path, json!({ "secret": null, "filter": ["app.created"] })).await.ok();
    api.post(&format!("{path}/test"), json!({})).await.ok();
    for _ in 0..500 {
        if let Some((headers, _)) = heard.lock().unwrap().first() {
            return assert!(!headers.contains_key("x-offprint-signature"), "{headers:?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nobody was called");
}

/// Somebody who takes calls and never answers.
async fn silent() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_never_answers_keeps_no_other_waiting() {
    let (silent, (address, heard)) = (silent().await, subscriber().await);
    let allowed = format!("{silent},{address}");
    let server = TestServer::start_with(&[("OFFPRINT_BUILD_ALLOW", &allowed)]).await;
    let api = server.deploys().await;
    for (name, address) in [("silent", &silent), ("hook", &address)] {
        let url = format!("http://{address}/hook");
        let new = json!({ "name": name, "url": url, "secret": SECRET, "filter": ["app.created"] });
        api.post("/webhook-subscriptions", new).await.made();
    }
    let apps = 4;
    for n in 0..apps {
        api.post("/apps", json!({ "name": format!("app {n}") })).await.made();
    }
    let told =
        async || api.get("/events?type=webhook.delivery_completed").await.ok()["pageInfo"]["total"] == apps;
    crate::functions::eventually("all is told", told).await;
    assert_eq!(heard.lock().unwrap().len(), apps + 1, "one call failed at first");
}
