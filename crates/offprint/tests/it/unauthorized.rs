//! Every operation of the API's description, asked without the right to.
//!
//! The table is the description itself, so an endpoint cannot be forgotten here.

use offprint_wire::error_code::ErrorCode;
use reqwest::Method;
use serde_json::json;

use crate::support::{ACCOUNT, Api, Operation, Site, TestServer, operations, resource_operations};

/// An account that exists nowhere.
const ELSEWHERE: &str = "ffffffffffffffffffffffffffffffff";

/// A server with something to find under each path.
async fn stocked() -> (TestServer, String) {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    let deployment = Site::page("front").deploy(&api, "demo").await;
    let domain = json!({ "name": "www.example.com" });
    api.post(&crate::support::project("demo", "/domains")).json(&domain).ok().await;
    (server, deployment["id"].as_str().unwrap().to_owned())
}

fn path(operation: &Operation, account: &str, deployment: &str) -> String {
    let known = [
        ("{account_id}", account),
        ("{project_name}", "demo"),
        ("{deployment_id}", deployment),
        ("{domain_name}", "www.example.com"),
        ("{tail_id}", "0"),
    ];
    known.iter().fold(operation.path.clone(), |path, (name, value)| path.replace(name, value))
}

/// The call of an operation, with a body that is no reason to refuse it.
async fn ask(api: &Api, operation: &Operation, path: &str) -> crate::support::Answer {
    let method: Method = operation.method.parse().unwrap();
    let call = api.call(method.clone(), path);
    match method {
        Method::POST | Method::PATCH => call.json(&json!({})).send().await,
        _ => call.send().await,
    }
}

fn below_an_account(operation: &Operation) -> bool {
    operation.path.starts_with("/accounts/")
}

#[tokio::test]
async fn nothing_is_answered_without_credentials() {
    let (server, deployment) = stocked().await;
    for operation in operations() {
        let path = path(&operation, ACCOUNT, &deployment);
        ask(&server.anon(), &operation, &path).await.refused(ErrorCode::MissingCredentials);
    }
}

#[tokio::test]
async fn nothing_is_answered_to_an_unknown_token() {
    let (server, deployment) = stocked().await;
    for operation in operations() {
        let path = path(&operation, ACCOUNT, &deployment);
        let answer = ask(&server.bearer("unknown"), &operation, &path).await;
        // The upload calls tell a client to fetch a new upload token.
        let upload = ErrorCode::AuthorizationFailed;
        answer.refused(if below_an_account(&operation) { ErrorCode::AuthenticationError } else { upload });
    }
}

#[tokio::test]
async fn nothing_is_answered_about_another_account() {
    let (server, deployment) = stocked().await;
    for operation in operations().iter().filter(|operation| below_an_account(operation)) {
        let path = path(operation, ELSEWHERE, &deployment);
        ask(&server.api(), operation, &path).await.refused(ErrorCode::PermissionDenied);
    }
}

#[tokio::test]
async fn a_token_that_may_read_changes_nothing() {
    let (server, deployment) = stocked().await;
    let reader = server.bearer(&server.api().create_read_token().await);
    for operation in operations().iter().filter(|operation| below_an_account(operation)) {
        let path = path(operation, ACCOUNT, &deployment);
        let answer = ask(&reader, operation, &path).await;
        if operation.needs_write {
            answer.refused(ErrorCode::PermissionDenied);
        } else {
            answer.ok();
        }
    }
    assert_eq!(server.page("demo.pages.localhost", "/").await, "front");
}

/// A server with one of each kind of resource, and what to put into the paths of their operations.
async fn stocked_with_resources() -> (TestServer, Vec<(&'static str, String)>) {
    let server = TestServer::start().await;
    let api = server.api();
    let made =
        async |path: &str, body| api.post(&format!("/accounts/{ACCOUNT}{path}")).json(&body).ok().await;
    let namespace = made("/storage/kv/namespaces", json!({ "title": "one" })).await;
    let database = made("/d1/database", json!({ "name": "one" })).await;
    made("/r2/buckets", json!({ "name": "one" })).await;
    let namespace = namespace["id"].as_str().unwrap().to_owned();
    for path in
        [format!("/storage/kv/namespaces/{namespace}/values/key"), "/r2/buckets/one/objects/key".into()]
    {
        api.call(Method::PUT, &format!("/accounts/{ACCOUNT}{path}"))
            .body("application/json", "{}")
            .ok()
            .await;
    }
    let known = vec![
        ("{namespace_id}", namespace),
        ("{database_id}", database["uuid"].as_str().unwrap().to_owned()),
        ("{bucket_name}", "one".to_owned()),
        ("{key_name}", "key".to_owned()),
        ("{object_key}", "key".to_owned()),
    ];
    (server, known)
}

fn resource_path(operation: &Operation, account: &str, known: &[(&str, String)]) -> String {
    let path = operation.path.replace("{account_id}", account);
    known.iter().fold(path, |path, (name, value)| path.replace(name, value))
}

#[tokio::test]
async fn resources_are_for_those_who_may_use_their_account() {
    let (server, known) = stocked_with_resources().await;
    for operation in resource_operations() {
        let here = resource_path(&operation, ACCOUNT, &known);
        ask(&server.anon(), &operation, &here).await.refused(ErrorCode::MissingCredentials);
        ask(&server.bearer("unknown"), &operation, &here).await.refused(ErrorCode::AuthenticationError);
        let elsewhere = resource_path(&operation, ELSEWHERE, &known);
        ask(&server.api(), &operation, &elsewhere).await.refused(ErrorCode::PermissionDenied);
    }
    ask(&server.anon(), &graphql(), "/graphql").await.refused(ErrorCode::MissingCredentials);
    let metrics = json!({
        "operationName": "getR2StorageMetrics",
        "variables": { "accountTag": ELSEWHERE, "filter": { "bucketName": "one" } },
    });
    server.api().post("/graphql").json(&metrics).refused(ErrorCode::PermissionDenied).await;
}

fn graphql() -> Operation {
    Operation { method: "POST".into(), path: "/graphql".into(), needs_write: false }
}

#[tokio::test]
async fn a_token_that_may_read_changes_no_resource() {
    let (server, known) = stocked_with_resources().await;
    let reader = server.bearer(&server.api().create_read_token().await);
    for operation in resource_operations() {
        let answer = ask(&reader, &operation, &resource_path(&operation, ACCOUNT, &known)).await;
        if operation.needs_write {
            answer.refused(ErrorCode::PermissionDenied);
        } else {
            assert_ne!(answer.status, 403, "{} {}", operation.method, operation.path);
        }
    }
    let value = "/accounts/{account_id}/storage/kv/namespaces/{namespace_id}/values/{key_name}";
    let operation = Operation { method: "GET".into(), path: value.into(), needs_write: false };
    let value = resource_path(&operation, ACCOUNT, &known);
    assert_eq!(server.api().get(&value).send().await.json, json!({}), "it is still there");
}

#[tokio::test]
async fn links_are_worth_nothing_when_they_are_not_ours() {
    let server = TestServer::start().await;
    for token in ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
        let anon = server.anon();
        anon.get(&format!("/d1/exports/{token}")).refused(ErrorCode::D1LinkExpired).await;
        anon.call(Method::PUT, &format!("/d1/imports/{token}")).refused(ErrorCode::D1LinkExpired).await;
    }
}
