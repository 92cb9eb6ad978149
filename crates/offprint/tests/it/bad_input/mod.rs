//! What no client should send: each is refused with a clear error, and nothing of it stays.

mod forms;
mod manifests;
mod names;
mod tokens;
mod uploads;

use serde_json::json;

use crate::support::{Api, TestServer, project};

async fn server_with_demo() -> (TestServer, Api) {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    (server, api)
}

/// Asserts that no deployment came of what was sent.
async fn nothing_was_deployed(server: &TestServer, api: &Api) {
    assert_eq!(api.get(&project("demo", "/deployments")).ok().await, json!([]));
    let settings = api.get(&project("demo", "")).ok().await;
    assert!(settings["latest_deployment"].is_null());
    assert!(!server.site("demo.pages.localhost", "/").await.status().is_success());
}
