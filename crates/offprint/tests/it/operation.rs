//! Running the server: stopping it, starting it again, and the protocols it speaks.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::json;

use crate::support::{Site, TOKEN, TestServer, asset_key, project, projects, upload_body, upload_token};

#[tokio::test]
async fn an_upload_that_has_begun_is_finished_before_the_server_stops() {
    let mut server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    let uploader = api.with_bearer(&upload_token(&api, "demo").await);
    let body = upload_body(&[("/large.bin", &vec![7; 4_000_000])]).to_string();
    let halves = [
        Bytes::copy_from_slice(&body.as_bytes()[..body.len() / 2]),
        body[body.len() / 2..].to_owned().into(),
    ];
    let slowly = futures_util::stream::iter(halves).then(|half| async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok::<_, std::io::Error>(half)
    });
    let call =
        uploader.post("/pages/assets/upload").body("application/json", reqwest::Body::wrap_stream(slowly));
    let (answer, ()) = tokio::join!(call.send(), async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        server.ask_to_stop();
    });
    answer.ok();
    assert!(server.stopped().await, "{}", server.log());

    let server = server.crash_and_restart();
    let keys = json!({ "hashes": [asset_key("/large.bin", &vec![7; 4_000_000])] });
    let missing = server.api().post("/pages/assets/check-missing").json(&keys).ok().await;
    assert_eq!(missing, json!([]), "what was acknowledged is there");
}

#[tokio::test]
async fn a_server_without_work_stops_at_once() {
    let mut server = TestServer::start().await;
    // A client that keeps its connection open has no say in it.
    server.api().get("/user").ok().await;
    server.ask_to_stop();
    let stopped = tokio::time::timeout(Duration::from_secs(5), server.stopped()).await;
    assert!(stopped.expect("it stops"), "{}", server.log());
}

#[tokio::test]
async fn a_second_start_finds_everything() {
    let mut server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    Site::page("kept").deploy(&api, "demo").await;
    server.ask_to_stop();
    server.stopped().await;
    let server = server.crash_and_restart();
    assert_eq!(server.page("demo.pages.localhost", "/").await, "kept");
    assert_eq!(server.api().get(&project("demo", "")).ok().await["name"], "demo");
}

#[tokio::test]
async fn api_and_sites_speak_http2_without_encryption() {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    Site::page("front").deploy(&api, "demo").await;
    let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let url = format!("{}{}", server.base_url(), projects());
    let list = http2.get(url).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!((list.version(), list.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    // Over HTTP/2 the host is the URL's own; `localhost` names lead to this machine.
    let url = format!("http://demo.pages.localhost:{}/", server.address().port());
    let resolved = reqwest::Client::builder()
        .http2_prior_knowledge()
        .resolve("demo.pages.localhost", server.address())
        .build()
        .unwrap();
    let page = resolved.get(url).send().await.unwrap();
    assert_eq!((page.version(), page.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    assert_eq!(page.text().await.unwrap(), "front");
}

#[tokio::test]
async fn every_answer_can_be_found_in_the_log_by_its_request_id() {
    let server = TestServer::start().await;
    let answer = server.api().get("/user").header("x-request-id", "look-for-me-4711").send().await;
    assert_eq!(answer.header("x-request-id"), Some("look-for-me-4711"));
    let made = server.api().get("/user").send().await;
    let id = made.header("x-request-id").unwrap().to_owned();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let log = server.log();
    assert!(log.contains("look-for-me-4711") && log.contains(&id), "{log}");
    assert!(!log.contains(TOKEN), "no token reaches the log");
}
