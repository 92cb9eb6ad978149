//! Webhooks, at their door: who is let in, and how much they may bring. What becomes of the forges' payloads is in the
//! integration tests of the server.

use std::time::Duration;

use aws_lc_rs::hmac;
use axum::body::Body;
use axum::http::Request;
use offprint_api::Limits;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, demo};

const SECRET: &str = "0123456789abcdef";

/// The webhook's path, after `demo` was made with a secret that is known here.
async fn hook(api: &Api) -> String {
    let project = api.built_project().await;
    api.writer().patch(&demo("/source"), &json!({ "webhook_secret": SECRET })).await.ok();
    format!("/client/v4/pages/webhooks/git/{}", project["id"].as_str().unwrap())
}

fn signature(body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let hex: String = hmac::sign(&key, body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

fn push(branch: &str) -> Value {
    json!({"ref": format!("refs/heads/{branch}"), "after": "a".repeat(40), "repository": {"full_name": "Cedar/Site"}})
}

fn request(path: &str, body: &[u8]) -> axum::http::request::Builder {
    Request::post(path)
        .header("x-github-event", "push")
        .header("x-github-delivery", "1")
        .header("x-hub-signature-256", signature(body))
}

async fn send(api: &Api, path: &str, body: &[u8]) -> Answer {
    api.anonymous().send_raw(request(path, body).body(Body::from(body.to_vec())).unwrap()).await
}

#[tokio::test]
async fn a_signed_push_makes_a_deployment_and_a_replay_none() {
    let api = Api::start().await;
    let path = hook(&api).await;
    let body = push("main").to_string();
    let answer = send(&api, &path, body.as_bytes()).await.result();
    let deployments = api.deployments().await;
    assert_eq!(answer, json!({"id": deployments[0]["id"]}));
    assert_eq!(deployments[0]["deployment_trigger"]["type"], "github:push");
    assert_eq!(send(&api, &path, body.as_bytes()).await.refusal(), (409, 8_100_024));
    let other_id = request(&path, body.as_bytes()).header("x-github-delivery", "2");
    let again = api.anonymous().send_raw(other_id.body(Body::from(body)).unwrap()).await;
    assert_eq!(again.refusal(), (409, 8_100_024), "the id is not signed");
    assert_eq!(api.deployments().await.len(), 1);
}

#[tokio::test]
async fn unknown_projects_and_wrong_signatures_are_turned_away() {
    let api = Api::start().await;
    let path = hook(&api).await;
    let body = push("main").to_string();
    for unknown in ["nobody", "00000000-0000-4000-8000-000000000000", "%00"] {
        let path = format!("/client/v4/pages/webhooks/git/{unknown}");
        assert_eq!(send(&api, &path, body.as_bytes()).await.refusal(), (404, 8_000_007), "{unknown}");
    }
    let forged = request(&path, b"another body").body(Body::from(body.clone())).unwrap();
    assert_eq!(api.anonymous().send_raw(forged).await.refusal(), (401, 8_100_021));
    let bare = Request::post(&path).header("x-github-event", "push").body(Body::from(body.clone())).unwrap();
    assert_eq!(api.anonymous().send_raw(bare).await.refusal(), (401, 8_100_021));
    let silent = Request::post(&path).body(Body::from(body.clone())).unwrap();
    assert_eq!(api.anonymous().send_raw(silent).await.refusal(), (400, 8_100_022));
    // Without a secret nothing can be believed.
    api.writer().patch(&demo("/source"), &json!({"webhook_secret": null})).await.ok();
    assert_eq!(send(&api, &path, body.as_bytes()).await.refusal(), (401, 8_100_021));
    assert_eq!(api.deployments().await.len(), 0);
}

#[tokio::test]
async fn a_project_without_a_repository_hears_nothing() {
    let api = Api::start().await;
    let project = api.project("demo").await;
    let path = format!("/client/v4/pages/webhooks/git/{}", project["id"].as_str().unwrap());
    assert_eq!(send(&api, &path, b"{}").await.refusal(), (404, 8_000_007));
}

#[tokio::test]
async fn a_signed_payload_that_is_none_is_refused_and_may_come_again() {
    let api = Api::start().await;
    let path = hook(&api).await;
    for (body, text) in [
        ("{", "is not valid JSON"),
        ("{}", "ref is required"),
        (r#"{"ref": "refs/heads/a", "after": "x"}"#, "after must be a commit's hash"),
    ] {
        let answer = send(&api, &path, body.as_bytes()).await;
        assert_eq!(answer.refusal(), (400, 8_000_006), "{body}");
        assert!(answer.message().contains(text), "{}", answer.message());
    }
    let mut other = push("main");
    other["repository"]["full_name"] = json!("cedar/other");
    assert_eq!(send(&api, &path, other.to_string().as_bytes()).await.refusal(), (400, 8_100_023));
    send(&api, &path, push("main").to_string().as_bytes()).await.ok();
}

/// GitHub's default for webhooks that are made by hand.
#[tokio::test]
async fn a_payload_may_be_the_field_of_a_form() {
    let api = Api::start().await;
    let path = hook(&api).await;
    let json: String = push("a b").to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    let body = format!("payload={json}");
    let send = async |body: String| {
        let request =
            request(&path, body.as_bytes()).header("content-type", "application/x-www-form-urlencoded");
        api.anonymous().send_raw(request.body(Body::from(body)).unwrap()).await
    };
    send(body).await.ok();
    assert_eq!(api.deployments().await[0]["deployment_trigger"]["metadata"]["branch"], "a b");
    assert_eq!(send("x=1".into()).await.message(), "Request body is incorrect: payload is required.");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_not_read() {
    let api = Api::start().await;
    let path = hook(&api).await;
    let body = vec![b' '; 25 * 1024 * 1024 + 1];
    assert_eq!(send(&api, &path, &body).await.refusal(), (413, 8_100_001));
    let endless = futures_util::stream::repeat(Ok::<_, std::convert::Infallible>(vec![b' '; 1 << 20]));
    let endless = request(&path, b"").body(Body::from_stream(endless)).unwrap();
    assert_eq!(api.anonymous().send_raw(endless).await.refusal(), (413, 8_100_001));
}

#[tokio::test]
async fn strangers_who_dawdle_keep_no_uploader_waiting() {
    let limits = Limits { upload_memory_bytes_max: 1, ..Limits::default() };
    let api = Api::with_limits(limits).await;
    let path = hook(&api).await;
    let stalled = || {
        let silence = futures_util::stream::pending::<Result<Vec<u8>, std::convert::Infallible>>();
        let request = request(&path, b"x").body(Body::from_stream(silence)).unwrap();
        tokio::spawn(tower::ServiceExt::oneshot(api.router.clone(), request))
    };
    let strangers: Vec<_> = (0..5).map(|_| stalled()).collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let deployed = api.deploy("demo", "main", &[("/index.html", "x")]);
    tokio::time::timeout(Duration::from_secs(20), deployed).await.unwrap();
    strangers.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_server_without_a_builder_tells_the_forge() {
    let api = Api::without_builder().await;
    let path = hook(&api).await;
    let body = push("main").to_string();
    assert_eq!(send(&api, &path, body.as_bytes()).await.refusal(), (400, 8_100_011));
}
