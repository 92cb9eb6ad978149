//! Every operation of the API's description, asked without the right to.
//!
//! The table is the description itself, so an endpoint cannot be forgotten here.

use offprint_wire::error_code::ErrorCode;
use reqwest::Method;
use serde_json::json;

use crate::support::{ACCOUNT, Api, Operation, Site, TestServer, operations};

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
