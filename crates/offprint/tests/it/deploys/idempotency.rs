//! A POST that is sent again with its key is answered again, and done once.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::{Socket, TOKEN, TestServer};

#[tokio::test]
async fn the_same_key_is_answered_the_same_and_another_body_is_refused() {
    let server = TestServer::start().await;
    let api = server.deploys().await;
    let post = async |path: &str, body: serde_json::Value, key: &str| {
        api.call(Method::POST, path, Some(&body), &[("idempotency-key", key)]).await
    };
    let first = post("/apps", json!({ "name": "once" }), "a").await.made();
    let again = post("/apps", json!({ "name": "once" }), "a").await.made();
    assert_eq!(first, again);
    assert_eq!(api.get("/apps").await.ok()["pageInfo"]["total"], 1);
    let other = post("/apps", json!({ "name": "twice" }), "a").await;
    assert_eq!(other.json["error"]["code"], "idempotency_key_reused");
    other.refused(409);
    post("/app-versions", json!({ "name": "once" }), "a").await.refused(409);
    // A refusal is an answer as well.
    post("/apps", json!({ "name": "once" }), "b").await.refused(409);
    let refused = post("/apps", json!({ "name": "once" }), "b").await;
    assert_eq!(refused.json["error"]["code"], "conflict");
    // A secret that is shown once is shown to the same call again.
    let key = json!({ "name": "k", "permission": "read" });
    let made = post("/api-keys", key.clone(), "c").await.made();
    assert_eq!(post("/api-keys", key, "c").await.made(), made);
    let many = (0..8).map(|_| post("/apps", json!({ "name": "racing" }), "d"));
    let answers = futures_util::future::join_all(many).await;
    assert!(answers.iter().all(|answer| [201, 409].contains(&answer.status)));
    assert!(answers.iter().any(|answer| answer.status == 201));
    assert_eq!(api.get("/apps").await.ok()["pageInfo"]["total"], 2);
    for wrong in ["", " "] {
        assert_eq!(post("/apps", json!({ "name": "x" }), wrong).await.refused(400), "Idempotency-Key");
    }
}

#[tokio::test]
async fn who_lost_the_connection_finds_the_answer_with_the_key() {
    let server = TestServer::start().await;
    let api = server.deploys().await;
    let apps = 20;
    for n in 0..apps {
        let (body, key) = (json!({ "name": format!("lost {n}") }), format!("lost-{n}"));
        let mut lost = Socket::connect(&server, "localhost").await;
        let text = body.to_string();
        lost.send(format!(
            "POST /api/apps HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
             idempotency-key: {key}\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        ))
        .await;
        drop(lost);
        let mut answer = api.call(Method::POST, "/apps", Some(&body), &[("idempotency-key", &key)]).await;
        for _ in 0..200 {
            if answer.status != 409 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            answer = api.call(Method::POST, "/apps", Some(&body), &[("idempotency-key", &key)]).await;
        }
        assert_eq!(answer.made()["name"], body["name"]);
    }
    assert_eq!(api.get("/apps").await.ok()["pageInfo"]["total"], apps);
}
