//! The asset calls: bodies that are too large or not what they should be.

use bytes::Bytes;
use offprint_wire::error_code::ErrorCode;
use serde_json::json;

use super::server_with_demo;
use crate::support::{Api, TestServer, asset_key, base64, upload_body, upload_token};

/// A server with the limits of Pages.
async fn strict_server_with_demo() -> (TestServer, Api) {
    let server = TestServer::start_with(&[("OFFPRINT_STRICT", "true")]).await;
    let api = server.api();
    api.create_project("demo").await;
    (server, api)
}

#[tokio::test]
async fn an_asset_above_the_limit_is_refused_with_its_whole_batch() {
    let (server, api) = strict_server_with_demo().await;
    let before = server.stored_bytes();
    let large = vec![1; (25 << 20) + 1];
    let body = upload_body(&[("/small.txt", b"small"), ("/large.bin", &large)]);
    api.post("/pages/assets/upload").json(&body).refused(ErrorCode::AssetTooLarge).await;
    let keys = json!({ "hashes": [asset_key("/small.txt", b"small")] });
    let missing = api.post("/pages/assets/check-missing").json(&keys).ok().await;
    assert_eq!(missing.as_array().unwrap().len(), 1, "nothing of a refused batch is kept");
    assert_eq!(server.stored_bytes(), before);

    let largest = vec![1; 25 << 20];
    api.post("/pages/assets/upload").json(&upload_body(&[("/large.bin", &largest)])).ok().await;
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused_and_not_held() {
    let (server, api) = strict_server_with_demo().await;
    let before = server.peak_memory();
    // With a length that tells, and without.
    let told = vec![b' '; 65 << 20];
    let call = api.post("/pages/assets/upload").body("application/json", told);
    refused_or_cut_off(call).await;
    let piece = Bytes::from(vec![b' '; 1 << 20]);
    let endless = futures_util::stream::iter((0..400).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
    let call = api.post("/pages/assets/upload").body("application/json", reqwest::Body::wrap_stream(endless));
    refused_or_cut_off(call).await;
    let grown = (server.peak_memory() - before) >> 20;
    assert!(grown < 150, "the server grew by {grown} MiB");
    api.get("/user").ok().await;
}

/// A server may stop reading: then some clients see the answer, and some only that the connection broke.
async fn refused_or_cut_off(call: crate::support::Call) {
    if let Ok(answer) = call.try_send().await {
        answer.refused(ErrorCode::BodyTooLarge);
    }
}

#[tokio::test]
async fn a_large_body_for_a_small_call_is_refused() {
    let (_server, api) = server_with_demo().await;
    let huge = json!({ "name": "x".repeat(20 << 20), "production_branch": "main" });
    refused_or_cut_off(api.post(&crate::support::projects()).json(&huge)).await;
}

#[tokio::test]
async fn a_body_of_the_wrong_shape_is_refused() {
    let (server, api) = server_with_demo().await;
    let uploader = api.with_bearer(&upload_token(&api, "demo").await);
    let good =
        json!({ "key": "k", "value": base64(b"x"), "metadata": { "contentType": "a/b" }, "base64": true });
    let without = |member: &str| {
        let mut item = good.clone();
        item.as_object_mut().unwrap().remove(member);
        json!([item]).to_string()
    };
    let with = |member: &str, value: serde_json::Value| {
        let mut item = good.clone();
        item[member] = value;
        json!([item]).to_string()
    };
    for body in [
        String::new(),
        "{".into(),
        "{}".into(),
        "null".into(),
        "[1]".into(),
        "[".repeat(100_000),
        without("key"),
        without("value"),
        with("key", json!("")),
        with("key", json!("a b")),
        with("key", json!("k".repeat(129))),
        with("value", json!("not base64!")),
        with("value", json!("QQ")),
        with("value", json!("QR==")),
        with("value", json!(1)),
        json!([good]).to_string()[..30].to_owned(),
    ] {
        let call = uploader.post("/pages/assets/upload").body("application/json", body.clone());
        let answer = call.send().await;
        assert_eq!(answer.status, 400, "{:.60}: {}", body, answer.json);
        answer.refused(ErrorCode::InvalidBody);
    }
    let wrong = b"[{\"key\":\"a\xff\"}]".to_vec();
    let call = uploader.post("/pages/assets/upload").body("application/json", wrong);
    call.refused(ErrorCode::InvalidBody).await;
    for (endpoint, body) in [
        ("check-missing", json!([])),
        ("check-missing", json!({})),
        ("check-missing", json!({ "hashes": "a" })),
        ("check-missing", json!({ "hashes": [1] })),
        ("upsert-hashes", json!({})),
        ("upsert-hashes", json!({ "hashes": null })),
    ] {
        let call = uploader.post(&format!("/pages/assets/{endpoint}")).json(&body);
        call.refused(ErrorCode::InvalidBody).await;
    }
    assert_eq!(server.stored_bytes(), 0);
}
