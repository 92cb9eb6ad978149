//! One table of all endpoints, each tried without credentials, with a wrong token and with a token that
//! may only read. The table is compared with the official description, so that none can be forgotten.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::harness::{ACCOUNT, Api, Client, EMAIL};

/// What an endpoint asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Needs {
    /// A token of the account that may read.
    Read,
    /// A token of the account that may write.
    Write,
    /// The same, with the code of token management.
    Manage,
    /// Any good token.
    AnyToken,
    /// Any good token, with the code of the verification.
    Verify,
    /// An upload token, or a token that may write.
    Upload,
    /// Nothing: the path is the secret.
    Nothing,
}

const PROJECT: &str = "/accounts/{account_id}/pages/projects/{project_name}";

fn endpoints() -> Vec<(Method, String, Needs)> {
    use Needs::{AnyToken, Manage, Nothing, Read, Upload, Verify, Write};
    let (get, post, patch, delete) = (Method::GET, Method::POST, Method::PATCH, Method::DELETE);
    let below = |rest: &str| format!("{PROJECT}{rest}");
    vec![
        (get.clone(), "/accounts/{account_id}/pages/projects".into(), Read),
        (post.clone(), "/accounts/{account_id}/pages/projects".into(), Write),
        (get.clone(), below(""), Read),
        (patch.clone(), below(""), Write),
        (delete.clone(), below(""), Write),
        (get.clone(), below("/upload-token"), Write),
        (post.clone(), below("/purge_build_cache"), Write),
        (get.clone(), below("/deployments"), Read),
        (post.clone(), below("/deployments"), Write),
        (get.clone(), below("/deployments/{deployment_id}"), Read),
        (delete.clone(), below("/deployments/{deployment_id}"), Write),
        (get.clone(), below("/deployments/{deployment_id}/history/logs"), Read),
        (post.clone(), below("/deployments/{deployment_id}/retry"), Write),
        (post.clone(), below("/deployments/{deployment_id}/rollback"), Write),
        (post.clone(), below("/deployments/{deployment_id}/tails"), Write),
        (delete.clone(), below("/deployments/{deployment_id}/tails/{tail_id}"), Write),
        (get.clone(), below("/domains"), Read),
        (post.clone(), below("/domains"), Write),
        (get.clone(), below("/domains/{domain_name}"), Read),
        (patch, below("/domains/{domain_name}"), Write),
        (delete.clone(), below("/domains/{domain_name}"), Write),
        (post.clone(), "/pages/assets/check-missing".into(), Upload),
        (post.clone(), "/pages/assets/upload".into(), Upload),
        (post.clone(), "/pages/assets/upsert-hashes".into(), Upload),
        (post.clone(), "/pages/webhooks/deploy_hooks/{hook_id}".into(), Nothing),
        (get.clone(), "/user".into(), AnyToken),
        (get.clone(), "/user/tokens/verify".into(), Verify),
        (get.clone(), "/memberships".into(), AnyToken),
        (get.clone(), "/accounts".into(), AnyToken),
        (get.clone(), "/accounts/{account_id}".into(), Read),
        (get.clone(), "/accounts/{account_id}/tokens".into(), Manage),
        (post, "/accounts/{account_id}/tokens".into(), Manage),
        (get.clone(), "/accounts/{account_id}/tokens/permission_groups".into(), Read),
        (get, "/accounts/{account_id}/tokens/verify".into(), Read),
        (delete, "/accounts/{account_id}/tokens/{token_id}".into(), Manage),
    ]
}

async fn refusal(client: &Client<'_>, method: &Method, path: &str, account: &str) -> (u16, u64) {
    let path = path
        .replace("{account_id}", account)
        .replace("{project_name}", "demo")
        .replace("{deployment_id}", "no-such-id")
        .replace("{domain_name}", "www.example.com")
        .replace(['{', '}'], "x");
    client.send(method.clone(), &path, None, Body::empty()).await.refusal()
}

#[tokio::test]
async fn nobody_gets_in_without_credentials() {
    let api = Api::start().await;
    for (method, path, needs) in endpoints() {
        let expected = if needs == Needs::Nothing { (404, 8_100_016) } else { (400, 9106) };
        assert_eq!(refusal(&api.anonymous(), &method, &path, ACCOUNT).await, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn a_wrong_token_has_the_code_of_its_endpoint() {
    let api = Api::start().await;
    let client = api.bearer("nobodys-token");
    for (method, path, needs) in endpoints() {
        let expected = match needs {
            Needs::Nothing => (404, 8_100_016),
            Needs::Upload => (401, 8_000_013),
            Needs::Verify => (401, 1000),
            Needs::Read | Needs::Write | Needs::Manage | Needs::AnyToken => (401, 10000),
        };
        assert_eq!(refusal(&client, &method, &path, ACCOUNT).await, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn a_token_that_may_read_does_not_write() {
    let api = Api::start().await;
    api.project("demo").await;
    for (method, path, needs) in endpoints() {
        let (status, code) = refusal(&api.reader(), &method, &path, ACCOUNT).await;
        match needs {
            Needs::Write | Needs::Upload => assert_eq!((status, code), (403, 10000), "{method} {path}"),
            Needs::Manage => assert_eq!((status, code), (403, 9109), "{method} {path}"),
            Needs::Read | Needs::AnyToken | Needs::Verify | Needs::Nothing => {
                assert!(matches!(status, 200 | 404), "{method} {path}: {status} {code}");
            }
        }
    }
}

#[tokio::test]
async fn another_account_is_closed() {
    let api = Api::start().await;
    for (method, path, _) in endpoints().iter().filter(|(_, path, _)| path.contains("{account_id}")) {
        let answer = refusal(&api.writer(), method, path, "ffffffffffffffffffffffffffffffff").await;
        assert_eq!(answer, (403, 10000), "{method} {path}");
    }
}

#[test]
fn the_table_has_every_endpoint_of_the_official_description() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/cloudflare-pages.openapi.json");
    let description: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let methods = ["get", "post", "put", "patch", "delete"];
    let official: BTreeSet<(String, String)> = description["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, operations)| {
            let operations =
                operations.as_object().unwrap().keys().filter(|key| methods.contains(&key.as_str()));
            operations.map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let ours: BTreeSet<(String, String)> =
        endpoints().into_iter().map(|(method, path, _)| (method.to_string(), path)).collect();
    let forgotten: Vec<_> = official.difference(&ours).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
    assert!(official.len() >= 24, "{} operations", official.len());
}

#[tokio::test]
async fn an_email_and_a_key_are_as_good_as_a_token() {
    let api = Api::start().await;
    let user = api.key_pair(EMAIL).get("/user").await.result();
    assert_eq!(user["email"], EMAIL);
    assert_eq!(api.key_pair("other@example.com").get("/user").await.refusal(), (401, 10000));
}

#[tokio::test]
async fn malformed_headers_say_which() {
    let api = Api::start().await;
    let request = axum::http::Request::get("/client/v4/user").header("authorization", "Basic abc");
    let answer = api.anonymous().send_raw(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.refusal(), (400, 6003));
    assert_eq!(answer.json["errors"][0]["error_chain"][0]["code"], 6111);
}

#[tokio::test]
async fn the_calls_of_whoami_work() {
    let api = Api::start().await;
    let client = api.reader();
    assert_eq!(client.get("/user/tokens/verify").await.result()["status"], "active");
    assert_eq!(client.get("/accounts/{a}/tokens/verify").await.result()["status"], "active");
    let accounts = client.get("/accounts?page=1").await;
    assert_eq!(accounts.json["result_info"]["total_count"], 1);
    let account = accounts.result()[0].clone();
    assert_eq!((&account["id"], &account["type"]), (&json!(ACCOUNT), &json!("standard")));
    let membership = client.get("/memberships?page=1").await.result()[0].clone();
    assert_eq!((&membership["account"]["id"], &membership["status"]), (&json!(ACCOUNT), &json!("accepted")));
    assert_eq!(client.get("/accounts/{a}").await.result(), account);
    assert_eq!(client.get("/accounts?page=2").await.result(), json!([]));
}
