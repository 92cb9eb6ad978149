//! API tokens: made, listed, used, revoked.

use serde_json::{Value, json};

use crate::harness::{ACCOUNT, Api};

const TOKENS: &str = "/accounts/{a}/tokens";

fn request(name: &str, group: &Value) -> Value {
    json!({"name": name, "policies": [{
        "effect": "allow", "permission_groups": [group],
        "resources": { format!("com.cloudflare.api.account.{ACCOUNT}"): "*" }}]})
}

#[tokio::test]
async fn a_tokens_secret_is_shown_once_and_works() {
    let api = Api::start().await;
    let groups = api.writer().get(&format!("{TOKENS}/permission_groups")).await.result();
    let write = json!({"id": groups[1]["id"]});
    let made = api.writer().post(TOKENS, &request("ci", &write)).await.result();
    assert_eq!(made["policies"][0]["permission_groups"][0]["name"], "Pages Write");
    let secret = made["value"].as_str().unwrap().to_owned();
    let verified = api.bearer(&secret).get("/user/tokens/verify").await.result();
    assert_eq!(verified["id"], made["id"]);
    let listed = api.writer().get(TOKENS).await.result();
    assert!(listed.as_array().unwrap().iter().any(|token| token["id"] == made["id"]));
    assert!(!listed.to_string().contains(&secret), "a list shows no secret");
    let path = format!("{TOKENS}/{}", made["id"].as_str().unwrap());
    assert_eq!(api.writer().delete(&path).await.result(), json!({"id": made["id"]}));
    assert_eq!(api.writer().delete(&path).await.refusal(), (404, 8_100_015));
    assert_eq!(api.writer().delete(&format!("{TOKENS}/%ff")).await.status, 404);
    assert_eq!(api.bearer(&secret).get("/user/tokens/verify").await.refusal(), (401, 1000));
}

#[tokio::test]
async fn a_token_does_no_more_than_was_asked() {
    let api = Api::start().await;
    let made = api.writer().post(TOKENS, &request("reader", &json!({"name": "Pages Read"}))).await.result();
    let client = api.bearer(made["value"].as_str().unwrap());
    client.get("/accounts/{a}/pages/projects").await.ok();
    let project = json!({"name": "demo", "production_branch": "main"});
    assert_eq!(client.post("/accounts/{a}/pages/projects", &project).await.refusal(), (403, 10000));
    let dns = api.writer().post(TOKENS, &request("dns", &json!({"name": "DNS Write"}))).await;
    assert_eq!(dns.refusal(), (400, 8_000_006));
    let mut expired = request("old", &json!({"name": "Pages Read"}));
    expired["expires_on"] = json!("2020-01-01T00:00:00Z");
    assert_eq!(api.writer().post(TOKENS, &expired).await.refusal(), (400, 8_000_006));
}
