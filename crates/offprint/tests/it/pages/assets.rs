//! `/pages/assets/check-missing`, `/upload`, `/upsert-hashes`

use std::time::Duration;

use offprint_wire::error_code::ErrorCode;
use serde_json::json;

use crate::support::{Site, TestServer, asset_key, upload, upload_body, upload_token, went_live};

#[tokio::test]
async fn only_what_is_missing_is_named_and_each_key_once() {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    upload(&api, "demo", &[("/a.txt", b"here")]).await;
    let uploader = api.with_bearer(&upload_token(&api, "demo").await);
    let (here, gone) = (asset_key("/a.txt", b"here"), asset_key("/a.txt", b"gone"));
    let ask = json!({ "hashes": [here, gone, gone] });
    let mut missing = uploader.post("/pages/assets/check-missing").json(&ask).ok().await;
    missing.as_array_mut().unwrap().dedup();
    assert_eq!(missing, json!([gone]));
    let none = uploader.post("/pages/assets/check-missing").json(&json!({ "hashes": [] })).ok().await;
    assert_eq!(none, json!([]));
}

#[tokio::test]
async fn an_upload_has_the_shape_of_a_bulk_write() {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    let uploader = api.with_bearer(&upload_token(&api, "demo").await);
    let body = upload_body(&[("/a.txt", b"a"), ("/b.txt", b"b")]);
    let result = uploader.post("/pages/assets/upload").json(&body).ok().await;
    assert_eq!(result, json!({ "successful_key_count": 2, "unsuccessful_keys": [] }));
    let keys = json!({ "hashes": [asset_key("/a.txt", b"a"), "never-uploaded"] });
    uploader.post("/pages/assets/upsert-hashes").json(&keys).ok().await;
}

#[tokio::test]
async fn the_same_blob_may_be_uploaded_many_times_at_once() {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    let big: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let one = || async { upload(&api, "demo", &[("/big.bin", &big), ("/index.html", b"front")]).await };
    tokio::join!(one(), one(), one(), one(), one(), one());
    Site::new().asset("/big.bin", &big).asset("/index.html", "front").deploy(&api, "demo").await;
    let served = server.site("demo.pages.localhost", "/big.bin").await.bytes().await.unwrap();
    assert!(served[..] == big[..]);
}

#[tokio::test]
async fn an_interrupted_upload_leaves_nothing_and_is_resumed() {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    let uploader = api.with_bearer(&upload_token(&api, "demo").await);
    let big = vec![7; 4_000_000];
    let body = upload_body(&[("/a.txt", b"a"), ("/big.bin", &big)]).to_string();

    // Half of the body, then the connection is closed.
    let half = futures_util::stream::iter([
        Ok(bytes::Bytes::copy_from_slice(&body.as_bytes()[..body.len() / 2])),
        Err(std::io::Error::other("the client goes away")),
    ]);
    let stream = reqwest::Body::wrap_stream(half);
    let call = uploader.post("/pages/assets/upload").body("application/json", stream);
    assert!(call.try_send().await.is_err());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let keys = json!({ "hashes": [asset_key("/a.txt", b"a"), asset_key("/big.bin", &big)] });
    let missing = uploader.post("/pages/assets/check-missing").json(&keys).ok().await;
    assert_eq!(missing.as_array().unwrap().len(), 2, "nothing of a broken upload is visible");

    uploader.post("/pages/assets/upload").body("application/json", body).ok().await;
    let created = Site::new().asset("/a.txt", "a").asset("/big.bin", &big).post(&api, "demo").await.ok();
    went_live(&api, "demo", &created, "/a.txt").await;
    assert_eq!(server.page("demo.pages.localhost", "/a.txt").await, "a");
}

#[tokio::test]
async fn what_was_uploaded_survives_a_crash() {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    upload(&api, "demo", &[("/index.html", b"kept")]).await;
    let server = server.crash_and_restart();
    let api = server.api();
    Site::page("kept").post(&api, "demo").await.ok();
}

#[tokio::test]
async fn a_token_of_another_server_is_answered_with_the_code_that_renews_it() {
    let (server, other) = tokio::join!(TestServer::start(), TestServer::start());
    server.api().create_project("demo").await;
    other.api().create_project("demo").await;
    let foreign = upload_token(&other.api(), "demo").await;
    let call = server.bearer(&foreign).post("/pages/assets/check-missing").json(&json!({ "hashes": [] }));
    call.refused(ErrorCode::AuthorizationFailed).await;
}
