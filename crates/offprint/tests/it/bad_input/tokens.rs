//! Upload tokens that are not: broken, forged, of the wrong place.

use offprint_wire::error_code::ErrorCode;
use serde_json::json;

use super::server_with_demo;
use crate::support::{Site, asset_key, project, upload_token};

/// The text as one segment of a token.
fn segment(json: &serde_json::Value) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(json.to_string().as_bytes())
}

#[tokio::test]
async fn broken_and_forged_tokens_are_answered_with_the_code_that_renews_them() {
    let (server, api) = server_with_demo().await;
    let good = upload_token(&api, "demo").await;
    let segments: Vec<&str> = good.split('.').collect();
    let [head, claims, signature] = segments[..] else { panic!("{good} has three segments") };
    let unsigned = segment(&json!({ "alg": "none", "typ": "JWT" }));
    let others = segment(&json!({ "exp": 9_999_999_999_u64, "account": "ffffffffffffffffffffffffffffffff" }));
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    for token in [
        format!("{head}.{claims}."),
        format!("{head}.{claims}"),
        format!("{unsigned}.{claims}."),
        format!("{unsigned}.{claims}.{signature}"),
        format!("{head}.{others}.{signature}"),
        format!("{head}.{claims}.{flipped}{}", &signature[1..]),
        "a.b.c".into(),
        "...".into(),
        "x".repeat(10_000),
    ] {
        for endpoint in ["check-missing", "upsert-hashes"] {
            let call = server.bearer(&token).post(&format!("/pages/assets/{endpoint}"));
            call.json(&json!({ "hashes": [] })).refused(ErrorCode::AuthorizationFailed).await;
        }
        let call = server.bearer(&token).post("/pages/assets/upload").json(&json!([]));
        call.refused(ErrorCode::AuthorizationFailed).await;
    }
}

/// Assets belong to the account: what one project uploaded, another of the account may name. The token of a
/// project gives no right to anything but uploads.
#[tokio::test]
async fn a_token_uploads_for_its_account_and_deploys_nothing() {
    let (server, api) = server_with_demo().await;
    api.create_project("other").await;
    let of_other = server.bearer(&upload_token(&api, "other").await);
    let keys = json!({ "hashes": [asset_key("/index.html", b"front")] });
    Site::page("front").upload(&api, "demo").await;
    assert_eq!(of_other.post("/pages/assets/check-missing").json(&keys).ok().await, json!([]));
    let form = Site::page("front").form();
    let call = of_other.post(&project("demo", "/deployments")).form(form);
    call.refused(ErrorCode::AuthenticationError).await;
}
