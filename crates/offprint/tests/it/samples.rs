//! Replays requests as wrangler sent them, byte for byte.

use offprint_wire::error_code::ErrorCode;
use serde_json::Value;

use crate::support::{Api, TestServer, project, testdata, upload_token, went_live};

fn sample(name: &str, file: &str) -> Vec<u8> {
    let path = testdata("samples/wrangler-deploy").join(name).join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The `content-type` among captured headers.
fn content_type(name: &str) -> String {
    let headers = String::from_utf8(sample(name, "deployment-create.headers.txt")).unwrap();
    let line = headers.lines().find_map(|line| line.strip_prefix("content-type: "));
    line.unwrap().to_owned()
}

/// Uploads the assets that all samples name, with the captured calls.
async fn upload_assets(api: &Api) {
    let uploader = api.with_bearer(&upload_token(api, "demo").await);
    let call = |path: &str, file: &str| {
        let body = sample("functions-ts", file);
        uploader.post(path).body("application/json", body)
    };
    let missing = call("/pages/assets/check-missing", "check-missing.body").ok().await;
    assert_eq!(missing.as_array().unwrap().len(), 3);
    for n in 1..=3 {
        call("/pages/assets/upload", &format!("asset-upload-{n}.body")).ok().await;
    }
    call("/pages/assets/upsert-hashes", "upsert-hashes.body").ok().await;
    let missing = call("/pages/assets/check-missing", "check-missing.body").ok().await;
    assert_eq!(missing, serde_json::json!([]));
}

/// Sends a captured deployment and waits for its end.
async fn replay(api: &Api, name: &str) -> Value {
    let call = api.post(&project("demo", "/deployments"));
    let created = call.body(&content_type(name), sample(name, "deployment-create.body")).ok().await;
    went_live(api, "demo", &created, "/").await
}

async fn server_with_assets() -> (TestServer, Api) {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    upload_assets(&api).await;
    (server, api)
}

#[tokio::test]
async fn a_captured_static_deployment_goes_live() {
    let (server, api) = server_with_assets().await;
    let deployment = replay(&api, "static-only").await;
    let metadata = &deployment["deployment_trigger"]["metadata"];
    assert_eq!(metadata["commit_message"], "a message");
    assert_eq!(metadata["commit_hash"], "a".repeat(40));
    assert_eq!(metadata["commit_dirty"], true);
    assert_eq!(deployment["uses_functions"], false);
    let page = server.site("demo.pages.localhost", "/").await;
    assert_eq!(page.headers()["x-frame-options"], "DENY");
    assert_eq!(server.site("demo.pages.localhost", "/old").await.status(), 302);
}

/// With a `_routes.json` that names `/api/*`, the rest stays static.
#[tokio::test]
async fn captured_workers_with_routes_leave_the_rest_static() {
    let (server, api) = server_with_assets().await;
    for name in ["advanced-worker-js", "advanced-worker-js@4.86.0", "advanced-worker-js-no-bundle"] {
        let deployment = replay(&api, name).await;
        assert_eq!(deployment["uses_functions"], true, "{name}");
        let url = deployment["url"].as_str().unwrap();
        assert_eq!(server.site_at(url, "/api/hello").await.status(), 501, "{name}");
        assert_eq!(
            server.site_at(url, "/api/static/x").await.status(),
            200,
            "{name}: excluded, a single page"
        );
        assert_eq!(server.site_at(url, "/about.txt").await.text().await.unwrap(), "static about\n", "{name}");
    }
}

/// Without a `_routes.json` every request is the worker's, and nothing else is served where the project wants it so.
#[tokio::test]
async fn captured_workers_without_routes_get_every_request() {
    let (server, api) = server_with_assets().await;
    let closed = serde_json::json!({ "fail_open": false });
    let configs = serde_json::json!({ "deployment_configs": { "production": closed, "preview": closed } });
    api.patch(&project("demo", "")).json(&configs).ok().await;
    for name in ["worker-js-directory", "worker-js-directory@4.86.0", "worker-js-directory-no-bundle"] {
        let deployment = replay(&api, name).await;
        let url = deployment["url"].as_str().unwrap();
        assert_eq!(server.site_at(url, "/about.txt").await.status(), 501, "{name}");
    }
}

#[tokio::test]
async fn a_captured_deployment_cut_anywhere_is_refused_and_leaves_nothing() {
    let (_server, api) = server_with_assets().await;
    let whole = sample("advanced-worker-js", "deployment-create.body");
    let path = project("demo", "/deployments");
    for length in (0..whole.len() - 4).step_by(97) {
        let body = whole[..length].to_vec();
        let answer = api.post(&path).body(&content_type("advanced-worker-js"), body).send().await;
        answer.refused(ErrorCode::InvalidMultipart);
    }
    assert_eq!(api.get(&path).ok().await, serde_json::json!([]));
}
