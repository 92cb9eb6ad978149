//! `…/{project_name}/deployments` and what is below it

use offprint_wire::error_code::ErrorCode;
use serde_json::{Value, json};

use super::server_with_demo;
use crate::support::{Api, Site, host_of, project, went_live};

fn id(deployment: &Value) -> &str {
    deployment["id"].as_str().unwrap()
}

fn path(deployment: &Value, rest: &str) -> String {
    project("demo", &format!("/deployments/{}{rest}", id(deployment)))
}

async fn listed(api: &Api, query: &str) -> Vec<String> {
    let list = api.get(&project("demo", &format!("/deployments{query}"))).ok().await;
    list.as_array().unwrap().iter().map(|deployment| id(deployment).to_owned()).collect()
}

#[tokio::test]
async fn a_finished_deployment_tells_its_stages_and_addresses() {
    let (server, api) = server_with_demo().await;
    let production = Site::page("live").deploy(&api, "demo").await;
    let names: Vec<_> = production["stages"].as_array().unwrap().iter().map(|stage| &stage["name"]).collect();
    assert_eq!(names, ["queued", "initialize", "clone_repo", "build", "deploy"]);
    assert_eq!(production["short_id"], id(&production)[..8]);
    let port = server.address().port();
    let short = production["short_id"].as_str().unwrap();
    assert_eq!(production["url"], format!("http://{short}.demo.pages.localhost:{port}"));
    assert_eq!(
        (&production["environment"], &production["is_skipped"]),
        (&json!("production"), &json!(false))
    );
    assert_eq!(production["deployment_trigger"]["type"], "ad_hoc");
    assert_eq!(
        production["deployment_trigger"]["metadata"]["branch"], "main",
        "the production branch is assumed"
    );
    assert!(production["created_on"].as_str() <= production["modified_on"].as_str());

    let preview = Site::page("draft").branch("Feat/X").deploy(&api, "demo").await;
    assert_eq!(preview["aliases"], json!([format!("http://feat-x.demo.pages.localhost:{port}")]));
    assert_eq!(server.page("feat-x.demo.pages.localhost", "/").await, "draft");
}

#[tokio::test]
async fn lists_are_filtered_by_environment_and_newest_first() {
    let (_server, api) = server_with_demo().await;
    let one = Site::page("1").deploy(&api, "demo").await;
    let two = Site::page("2").branch("feature").deploy(&api, "demo").await;
    let three = Site::page("3").deploy(&api, "demo").await;
    assert_eq!(listed(&api, "").await, [id(&three), id(&two), id(&one)]);
    assert_eq!(listed(&api, "?env=production").await, [id(&three), id(&one)]);
    assert_eq!(listed(&api, "?env=preview").await, [id(&two)]);
    assert_eq!(listed(&api, "?page=2&per_page=2").await, [id(&one)]);
    assert_eq!(listed(&api, "?env=production&page=3&per_page=1").await, [""; 0]);
}

#[tokio::test]
async fn logs_count_their_lines_and_report_the_rules() {
    let (_server, api) = server_with_demo().await;
    let site =
        Site::page("live").file("_headers", "/*\n  X-A: b\n").file("_redirects", "/a /b 302\nnonsense\n");
    let deployment = site.deploy(&api, "demo").await;
    let log = api.get(&path(&deployment, "/history/logs?size=10000000")).ok().await;
    let lines = log["data"].as_array().unwrap();
    assert_eq!(log["total"], lines.len());
    let text = log.to_string();
    assert!(text.contains("1 valid redirect rule"), "{text}");
    assert!(text.contains("1 valid header rule"), "{text}");
}

#[tokio::test]
async fn the_live_deployment_is_not_deleted_and_an_aliased_one_needs_force() {
    let (server, api) = server_with_demo().await;
    let live = Site::page("live").deploy(&api, "demo").await;
    for force in ["", "?force=false", "?force=true"] {
        api.delete(&path(&live, force)).refused(ErrorCode::DeploymentIsLive).await;
    }
    let preview = Site::page("draft").branch("feature").deploy(&api, "demo").await;
    for force in ["", "?force=false"] {
        api.delete(&path(&preview, force)).refused(ErrorCode::DeploymentIsAliased).await;
    }
    assert_eq!(server.page("feature.demo.pages.localhost", "/").await, "draft");
    assert_eq!(api.delete(&path(&preview, "?force=true")).ok().await, Value::Null);
    api.get(&path(&preview, "")).refused(ErrorCode::DeploymentNotFound).await;
    // A deleted deployment is told from an unknown one.
    server.answers(host_of(preview["url"].as_str().unwrap()), 410).await;
    assert_eq!(server.site("00000000.demo.pages.localhost", "/").await.status(), 404);
    assert_eq!(server.page("demo.pages.localhost", "/").await, "live");
}

#[tokio::test]
async fn a_rollback_serves_the_old_bytes_at_once_without_a_new_deployment() {
    let (server, api) = server_with_demo().await;
    let old = Site::page("old").file("_headers", "/*\n  X-Site: old\n").deploy(&api, "demo").await;
    let new = Site::page("new").deploy(&api, "demo").await;
    let back = api.post(&path(&old, "/rollback")).ok().await;
    assert_eq!(back["id"], old["id"]);
    server.shows("demo.pages.localhost", "old").await;
    let page = server.site("demo.pages.localhost", "/").await;
    assert_eq!(page.headers()["x-site"], "old");
    let settings = api.get(&project("demo", "")).ok().await;
    assert_eq!(settings["canonical_deployment"]["id"], old["id"]);
    assert_eq!(listed(&api, "").await, [id(&new), id(&old)]);
    api.delete(&path(&old, "?force=true")).refused(ErrorCode::DeploymentIsLive).await;
    api.delete(&path(&new, "")).ok().await;
}

/// Our extension: the real service refuses it.
#[tokio::test]
async fn a_preview_can_be_rolled_back_as_well() {
    let (server, api) = server_with_demo().await;
    Site::page("live").deploy(&api, "demo").await;
    let old = Site::page("old draft").branch("feature").deploy(&api, "demo").await;
    Site::page("new draft").branch("feature").deploy(&api, "demo").await;
    assert_eq!(server.page("feature.demo.pages.localhost", "/").await, "new draft");
    api.post(&path(&old, "/rollback")).ok().await;
    server.shows("feature.demo.pages.localhost", "old draft").await;
    assert_eq!(server.page("demo.pages.localhost", "/").await, "live");
}

#[tokio::test]
async fn a_retry_is_a_new_deployment_of_the_same_content() {
    let (server, api) = server_with_demo().await;
    let old = Site::page("old").field("commit_hash", "0123abc").deploy(&api, "demo").await;
    Site::page("new").deploy(&api, "demo").await;
    let retried = api.post(&path(&old, "/retry")).ok().await;
    assert_ne!(retried["id"], old["id"]);
    went_live(&api, "demo", &retried, "/").await;
    assert_eq!(retried["deployment_trigger"]["metadata"]["commit_hash"], "0123abc");
    server.shows("demo.pages.localhost", "old").await;
}

#[tokio::test]
async fn a_static_deployment_has_nothing_to_tail() {
    let (_server, api) = server_with_demo().await;
    let deployment = Site::page("live").deploy(&api, "demo").await;
    let call = api.post(&path(&deployment, "/tails")).json_as_text(&json!({ "filters": [] }));
    call.refused(ErrorCode::WorkerNotFound).await;
}

#[tokio::test]
async fn a_project_without_a_repository_is_not_built() {
    let (_server, api) = server_with_demo().await;
    let path = project("demo", "/deployments");
    api.post(&path).refused(ErrorCode::NoSource).await;
    api.post(&path).body("application/json", "").refused(ErrorCode::NoSource).await;
    api.post(&path).json(&json!({ "branch": "main" })).refused(ErrorCode::NoSource).await;
    assert_eq!(listed(&api, "").await, [""; 0]);
}

#[tokio::test]
async fn variables_are_those_of_the_moment_of_the_deployment() {
    let (_server, api) = server_with_demo().await;
    let set = |value: &str| {
        json!({ "deployment_configs": { "production": { "env_vars": {
            "A": { "type": "plain_text", "value": value },
            "S": { "type": "secret_text", "value": format!("secret {value}") },
        } } } })
    };
    api.patch(&project("demo", "")).json(&set("one")).ok().await;
    let deployment = Site::page("live").deploy(&api, "demo").await;
    api.patch(&project("demo", "")).json(&set("two")).ok().await;
    let variables = api.get(&path(&deployment, "")).ok().await["env_vars"].take();
    assert_eq!(variables["A"]["value"], "one");
    assert_eq!(variables["S"], json!({ "type": "secret_text", "value": "" }));
}

#[tokio::test]
async fn everything_acknowledged_survives_a_crash() {
    let (server, api) = server_with_demo().await;
    let old = Site::page("old").deploy(&api, "demo").await;
    let live = Site::page("live").deploy(&api, "demo").await;
    let draft = Site::page("draft").branch("feature").start(&api, "demo").await;
    let server = server.crash_and_restart();
    let api = server.api();
    went_live(&api, "demo", &draft, "/").await;
    server.shows("demo.pages.localhost", "live").await;
    server.shows("feature.demo.pages.localhost", "draft").await;
    let before = api.get(&path(&old, "")).ok().await;
    assert_eq!(before["stages"], old["stages"]);
    assert_eq!(listed(&api, "?env=production").await, [id(&live), id(&old)]);
}
