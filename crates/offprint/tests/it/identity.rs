//! `/user`, `/accounts`, `/memberships`, tokens: what clients ask around Pages, and who may ask.

use offprint_wire::error_code::ErrorCode;
use serde_json::json;

use crate::support::{ACCOUNT, TOKEN, TestServer, projects};

#[tokio::test]
async fn the_token_its_user_and_its_account_are_told() {
    let server = TestServer::start().await;
    let api = server.api();
    assert_eq!(api.get("/user/tokens/verify").ok().await["status"], "active");
    assert!(api.get("/user").ok().await["email"].is_string());
    let accounts = api.get("/accounts?page=1").ok().await;
    assert_eq!(accounts[0]["id"], ACCOUNT);
    assert_eq!(accounts.as_array().unwrap().len(), 1);
    assert_eq!(api.get(&format!("/accounts/{ACCOUNT}")).ok().await["id"], ACCOUNT);
    let memberships = api.get("/memberships?page=1").ok().await;
    assert_eq!(memberships[0]["account"]["id"], ACCOUNT);
    assert_eq!(memberships[0]["status"], "accepted");
}

#[tokio::test]
async fn email_and_key_authenticate_as_well() {
    let server = TestServer::start().await;
    let email = server.api().get("/user").ok().await["email"].as_str().unwrap().to_owned();
    server.email_and_key(&email, TOKEN).get(&projects()).ok().await;
    let wrong_key = server.email_and_key(&email, "wrong").get(&projects()).send().await;
    wrong_key.refused(ErrorCode::AuthenticationError);
    let wrong_email = server.email_and_key("somebody@example.org", TOKEN).get(&projects()).send().await;
    wrong_email.refused(ErrorCode::AuthenticationError);
}

#[tokio::test]
async fn an_unknown_token_is_told_apart_at_verify() {
    let server = TestServer::start().await;
    server.bearer("unknown").get("/user/tokens/verify").refused(ErrorCode::InvalidApiToken).await;
    server.bearer("unknown").get("/user").refused(ErrorCode::AuthenticationError).await;
}

#[tokio::test]
async fn a_malformed_credential_is_told_apart_from_a_missing_one() {
    let server = TestServer::start().await;
    server.anon().get(&projects()).refused(ErrorCode::MissingCredentials).await;
    for header in ["Basic dXNlcjpwYXNz", "Bearer", "Bearer "] {
        let call = server.anon().get(&projects()).header("authorization", header);
        let answer = call.send().await;
        let chain = answer.json["errors"][0]["error_chain"][0]["code"].as_i64();
        answer.refused(ErrorCode::InvalidHeaders);
        assert_eq!(chain, Some(6111), "{header:?}");
    }
}

#[tokio::test]
async fn a_read_token_reads_and_a_revoked_token_does_nothing() {
    let server = TestServer::start().await;
    let api = server.api();
    let reader = server.bearer(&api.create_read_token().await);
    reader.get(&projects()).ok().await;
    let body = json!({ "name": "demo", "production_branch": "main" });
    reader.post(&projects()).json(&body).refused(ErrorCode::PermissionDenied).await;

    let tokens = api.get(&format!("/accounts/{ACCOUNT}/tokens")).ok().await;
    let reader_row = tokens.as_array().unwrap().iter().find(|token| token["name"] == "reader").unwrap();
    assert!(reader_row.get("value").is_none(), "a token's value is shown once");
    let id = reader_row["id"].as_str().unwrap();
    api.delete(&format!("/accounts/{ACCOUNT}/tokens/{id}")).ok().await;
    // A positive answer may be remembered for a few seconds.
    for _ in 0..100 {
        let answer = reader.get(&projects()).send().await;
        if answer.status != 200 {
            answer.refused(ErrorCode::AuthenticationError);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("a revoked token still works after ten seconds");
}

#[tokio::test]
async fn unknown_paths_and_methods_get_the_envelope() {
    let server = TestServer::start().await;
    let api = server.api();
    for path in ["/", "/nothing", "/accounts/x/y", &format!("{}/demo/nothing", projects())] {
        api.get(path).refused(ErrorCode::NoRoute).await;
    }
    api.delete(&projects()).refused(ErrorCode::MethodNotAllowed).await;
    api.patch("/user").refused(ErrorCode::MethodNotAllowed).await;
}

#[tokio::test]
async fn a_doubled_slash_after_the_base_is_forgiven() {
    let server = TestServer::start().await;
    server.api().get(&format!("/{}", projects())).ok().await;
}

#[tokio::test]
async fn health_is_told_without_a_token() {
    let server = TestServer::start().await;
    for path in ["/healthz", "/readyz"] {
        let address = server.address().to_string();
        assert_eq!(server.site(&address, path).await.status(), 200, "{path}");
    }
}
