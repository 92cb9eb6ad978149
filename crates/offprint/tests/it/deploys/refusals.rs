//! Who may not, and what cannot be done.

use reqwest::Method;
use serde_json::json;

use crate::support::{Site, TestServer, id};

#[tokio::test]
async fn every_operation_wants_a_key_and_every_change_one_that_may_write() {
    let server = TestServer::start().await;
    let api = server.deploys().await;
    let reader = api.with_key(&server.api().create_read_token().await);
    let operations = api.operations();
    assert!(operations.len() > 25, "{operations:?}");
    for (method, path) in operations {
        let method: Method = method.parse().unwrap();
        let path = path.replace("{id}", "unknown");
        let body = json!({});
        api.anonymous().call(method.clone(), &path, Some(&body), &[]).await.refused(401);
        api.with_key("unknown").call(method.clone(), &path, Some(&body), &[]).await.refused(401);
        if method == Method::GET {
            let answer = reader.call(method, &path, None, &[]).await;
            assert_eq!(answer.status, if path.contains("unknown") { 404 } else { 200 }, "{path}");
        } else {
            reader.call(method, &path, Some(&body), &[]).await.refused(403);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let server = TestServer::start().await;
    let (pages, api) = (server.api(), server.deploys().await);
    pages.create_project("demo").await;
    Site::page("x").deploy(&pages, "demo").await;
    let app = id(&api.get("/apps").await.ok()["data"][0]);
    for (path, body, status, at) in [
        ("/deploys", json!({}), 422, "buildId"),
        ("/deploys", json!({ "buildId": "a", "appId": "b" }), 422, "appId"),
        ("/deploys", json!({ "buildId": "bld_unknown" }), 404, "buildId"),
        ("/deploys", json!({ "appId": "app_unknown" }), 404, "appId"),
        ("/deploys", json!({ "buildId": 1 }), 400, "buildId"),
        ("/deploys", json!({ "build": "x" }), 400, "build"),
        ("/deploys", json!([]), 400, ""),
        ("/deploys/dep_unknown/cancel", json!({}), 404, ""),
        ("/builds", json!({}), 400, "appVersionId"),
        ("/builds", json!({ "appVersionId": "appver_unknown" }), 404, "appVersionId"),
        ("/apps", json!({}), 400, "name"),
        ("/apps", json!({ "name": "demo" }), 409, "handle"),
        ("/apps", json!({ "name": "x", "handle": "Not A Label" }), 400, "handle"),
        ("/apps", json!({ "name": "\u{7}" }), 400, "name"),
        ("/apps", json!({ "name": "x", "config": { "env": { "a-b": "1" } } }), 400, "config.env.a-b"),
        ("/apps", json!({ "name": "x", "config": { "nodeversion": "22" } }), 400, "config.nodeversion"),
        ("/apps", json!({ "name": "x", "target": { "type": "moon" } }), 400, "target.type"),
        (
            "/apps",
            json!({ "name": "x", "target": { "type": "local", "baseUrl": "x" } }),
            400,
            "target.baseUrl",
        ),
        ("/apps", json!({ "name": "x", "defaultVersionId": "appver_unknown" }), 404, "defaultVersionId"),
        ("/app-versions", json!({ "appId": "app_unknown" }), 404, "appId"),
        ("/apps", json!({ "name": "x", "workspaceId": "wsp_unknown" }), 404, ""),
        ("/app-versions", json!({ "appId": app, "parentId": "appver_unknown" }), 404, "parentId"),
        ("/api-keys", json!({ "name": "x", "permission": "all" }), 400, "permission"),
        ("/api-keys", json!({ "name": "x", "permission": "read", "appIds": [] }), 400, "appIds"),
        ("/api-keys", json!({ "name": "x", "permission": "read", "appIds": ["app_unknown"] }), 404, "appIds"),
        (
            "/api-keys",
            json!({ "name": "x", "permission": "read", "expiresAt": "2020-01-01T00:00:00Z" }),
            422,
            "expiresAt",
        ),
        ("/nowhere", json!({}), 404, ""),
    ] {
        assert_eq!(api.post(path, body.clone()).await.refused(status), at, "{path} {body}");
    }
    api.call(Method::PUT, "/deploys", None, &[]).await.refused(405);
    let reply = api.call(Method::GET, "/deploys/x", None, &[("x-request-id", "my-own-id")]).await;
    assert_eq!((reply.status, &reply.json["requestId"]), (404, &json!("my-own-id")));
    assert_eq!(reply.headers["x-request-id"], "my-own-id");
    let empty = api.post("/app-versions", json!({ "appId": app })).await.made();
    let build = id(&api.post("/builds", json!({ "appVersionId": empty["id"] })).await.made());
    let failed = api.ended(&format!("/builds/{build}")).await;
    assert_eq!(
        (&failed["status"], failed["error"].as_str().unwrap().contains("no files")),
        (&json!("failed"), true)
    );
    api.post("/deploys", json!({ "buildId": build })).await.refused(422);
    api.post(&format!("/builds/{build}/cancel"), json!({})).await.refused(409);
    api.delete(&format!("/apps/{app}")).await.ok();
    api.post("/builds", json!({ "appVersionId": empty["id"] })).await.refused(422);
}

#[tokio::test]
async fn a_file_is_not_where_a_directory_is() {
    let server = TestServer::start().await;
    let api = server.deploys().await;
    let (_, version) = api.app("Files", &[("a/b", "x"), ("a-b", "x"), ("a0", "x")]).await;
    let files = format!("/app-versions/{version}/files");
    for path in ["a", "a/b/c", "a/b/c/d"] {
        api.post(&files, json!({ "path": path, "content": "y" })).await.refused(422);
    }
    for path in ["a/c", "a0b", "b/a/b"] {
        api.post(&files, json!({ "path": path, "content": "y" })).await.made();
    }
    api.patch(&files, json!({ "path": "a/b", "content": "y" })).await.ok();
}
