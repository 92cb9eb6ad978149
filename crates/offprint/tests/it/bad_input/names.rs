//! Names of projects and branches, and JSON that is not what it should be.

use offprint_wire::error_code::ErrorCode;
use serde_json::{Value, json};

use super::{nothing_was_deployed, server_with_demo};
use crate::support::{Site, TestServer, project, projects};

#[tokio::test]
async fn illegal_project_names_are_refused() {
    let server = TestServer::start().await;
    let api = server.api();
    let long = "a".repeat(59);
    for name in ["", "-a", "a-", "A", "a_b", "a.b", "a b", "ä", "a\0", "../a", &long] {
        let body = json!({ "name": name, "production_branch": "main" });
        api.post(&projects()).json(&body).refused(ErrorCode::InvalidBody).await;
    }
    assert_eq!(api.get(&projects()).ok().await, json!([]));
    let longest = "a".repeat(58);
    api.create_project(&longest).await;
}

#[tokio::test]
async fn illegal_names_in_a_path_are_not_found() {
    let (_server, api) = server_with_demo().await;
    let long = "a".repeat(3000);
    api.get(&project("%FF%FE", "")).refused(ErrorCode::NoRoute).await;
    for name in ["-a", "A", "demo%00", "..%2Fdemo", "demo%2F", "d%C3%A4mo", &long] {
        api.get(&project(name, "")).refused(ErrorCode::ProjectNotFound).await;
    }
}

#[tokio::test]
async fn a_project_needs_its_members_and_their_types() {
    let server = TestServer::start().await;
    let api = server.api();
    for body in [
        json!({}),
        json!([]),
        json!(null),
        json!({ "name": "demo" }),
        json!({ "production_branch": "main" }),
        json!({ "name": 1, "production_branch": "main" }),
        json!({ "name": null, "production_branch": "main" }),
        json!({ "name": "demo", "production_branch": "" }),
        json!({ "name": "demo", "production_branch": ["main"] }),
        json!({ "name": "demo", "production_branch": "main", "deployment_configs": [] }),
        json!({ "name": "demo", "production_branch": "main", "deployment_configs": { "production": {
            "env_vars": { "A": { "type": "unknown", "value": "x" } } } } }),
        json!({ "name": "demo", "production_branch": "main", "deployment_configs": { "production": {
            "compatibility_flags": "not an array" } } }),
    ] {
        let answer = api.post(&projects()).json(&body).send().await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.json);
        answer.refused(ErrorCode::InvalidBody);
    }
    let deep = format!("{{\"name\":{}", "[".repeat(100_000));
    for body in ["", "{", "nonsense", "\u{feff}{}", &deep] {
        let call = api.post(&projects()).body("application/json", body.to_owned());
        call.refused(ErrorCode::InvalidBody).await;
    }
    assert_eq!(api.get(&projects()).ok().await, json!([]));
}

#[tokio::test]
async fn a_refused_patch_changes_nothing() {
    let (_server, api) = server_with_demo().await;
    let before = api.get(&project("demo", "")).ok().await;
    for body in [
        json!({ "production_branch": "live", "deployment_configs": { "production": { "env_vars": { "A": 1 } } } }),
        json!({ "production_branch": "live", "build_config": "x" }),
        json!({ "production_branch": "" }),
        json!({ "deployment_configs": { "production": { "env_vars": { "A": { "value": "1" } } }, "preview": 7 } }),
    ] {
        api.patch(&project("demo", "")).json(&body).refused(ErrorCode::InvalidBody).await;
    }
    assert_eq!(api.get(&project("demo", "")).ok().await, before);
}

#[tokio::test]
async fn unknown_members_are_ignored() {
    let server = TestServer::start().await;
    let api = server.api();
    let body = json!({ "name": "demo", "production_branch": "main", "id": "mine", "unknown": { "a": [1] } });
    let created = api.post(&projects()).json(&body).ok().await;
    assert_ne!(created["id"], "mine");
    assert!(created.get("unknown").is_none());
    api.get(&format!("{}?unknown=1&page=1", projects())).ok().await;
}

#[tokio::test]
async fn illegal_branches_are_refused() {
    let (server, api) = server_with_demo().await;
    Site::page("front").upload(&api, "demo").await;
    let long = "b".repeat(256);
    for branch in ["a\nb", "a\0b", &long] {
        let answer = Site::page("front").branch(branch).post(&api, "demo").await;
        answer.refused(ErrorCode::InvalidBody);
    }
    nothing_was_deployed(&server, &api).await;
}

#[tokio::test]
async fn a_branch_of_nothing_but_signs_still_gets_a_host() {
    let (server, api) = server_with_demo().await;
    let deployment = Site::page("front").branch("///").deploy(&api, "demo").await;
    let alias = deployment["aliases"][0].as_str().unwrap();
    assert!(alias.starts_with("http://branch-"), "{alias}");
    assert_eq!(server.site_at(alias, "/").await.text().await.unwrap(), "front");
}

#[tokio::test]
async fn odd_hosts_and_paths_of_sites_are_answered_without_harm() {
    let (server, api) = server_with_demo().await;
    Site::page("front").deploy(&api, "demo").await;
    for host in
        ["a.b.c.demo.pages.localhost", "-.pages.localhost", "nothing.pages.localhost", ".pages.localhost"]
    {
        assert_eq!(server.site(host, "/").await.status(), 404, "{host}");
    }
    for path in ["/%FF", "/%00", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/a%5C..%5Cb"] {
        let page = server.site("demo.pages.localhost", path).await;
        assert!(page.status().as_u16() < 500, "{path}: {}", page.status());
        let text = page.text().await.unwrap();
        assert!(!text.contains("root:"), "{path}");
    }
    let settings: Value = api.get(&project("demo", "")).ok().await;
    assert!(settings["canonical_deployment"].is_object());
}
