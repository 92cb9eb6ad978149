//! `…/{project_name}/upload-token`

use offprint_wire::error_code::ErrorCode;
use serde_json::{Value, json};

use super::server_with_demo;
use crate::support::{TestServer, project, upload_token};

/// The claims, as wrangler reads them: base64 of the second segment.
fn claims(jwt: &str) -> Value {
    let payload = jwt.split('.').nth(1).unwrap();
    let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn the_token_tells_the_file_limit_and_lives_an_hour_or_more() {
    let server = TestServer::start_with(&[("OFFPRINT_FILES_MAX", "1234")]).await;
    let api = server.api();
    api.create_project("demo").await;
    let claims = claims(&upload_token(&api, "demo").await);
    assert_eq!(claims["max_file_count_allowed"], 1234);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(claims["exp"].as_u64().unwrap() >= now + 3600 - 60, "{claims}");
}

#[tokio::test]
async fn an_upload_token_is_no_api_token() {
    let (server, api) = server_with_demo().await;
    let uploader = server.bearer(&upload_token(&api, "demo").await);
    uploader.get(&project("demo", "")).refused(ErrorCode::AuthenticationError).await;
    uploader.get("/user").refused(ErrorCode::AuthenticationError).await;
}

#[tokio::test]
async fn the_token_of_a_deleted_project_is_worth_nothing() {
    let (server, api) = server_with_demo().await;
    let uploader = server.bearer(&upload_token(&api, "demo").await);
    let ask = json!({ "hashes": [] });
    uploader.post("/pages/assets/check-missing").json(&ask).ok().await;
    api.delete(&project("demo", "")).ok().await;
    let call = uploader.post("/pages/assets/check-missing").json(&ask);
    call.refused(ErrorCode::AuthorizationFailed).await;
    api.create_project("demo").await;
    let call = uploader.post("/pages/assets/check-missing").json(&ask);
    call.refused(ErrorCode::AuthorizationFailed).await;
}

#[tokio::test]
async fn an_unknown_project_has_no_token() {
    let (_server, api) = server_with_demo().await;
    api.get(&project("nothing", "/upload-token")).refused(ErrorCode::ProjectNotFound).await;
}
