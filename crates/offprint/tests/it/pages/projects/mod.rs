//! `/accounts/{account_id}/pages/projects` and `/{project_name}`

use offprint_wire::error_code::ErrorCode;
use serde_json::{Value, json};

use crate::support::{Api, Site, TestServer, project, projects};

mod deployments;
mod domains;
mod purge_build_cache;
mod upload_token;

async fn server_with_demo() -> (TestServer, Api) {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    (server, api)
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|project| project["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_new_project_has_the_defaults_of_the_real_service() {
    let server = TestServer::start().await;
    let created = server.api().create_project("demo").await;
    assert_eq!(created["subdomain"], "demo.pages.localhost");
    assert_eq!(created["domains"], json!(["demo.pages.localhost"]));
    assert_eq!(created["build_config"], json!({ "web_analytics_tag": null, "web_analytics_token": null }));
    assert_eq!(created["uses_functions"], false);
    assert_eq!((&created["framework"], &created["framework_version"]), (&json!(""), &json!("")));
    for environment in ["production", "preview"] {
        let config = &created["deployment_configs"][environment];
        assert_eq!(config["fail_open"], true);
        assert_eq!(config["always_use_latest_compatibility_date"], false);
        assert_eq!(config["compatibility_flags"], json!([]));
        assert_eq!(config["build_image_major_version"], 3);
        assert_eq!(config["usage_model"], "standard");
        assert!(config.get("kv_namespaces").is_none(), "empty maps are absent");
        let script = created[format!("{environment}_script_name")].as_str().unwrap();
        assert!(script.starts_with("pages-worker--") && script.ends_with(environment), "{script}");
    }
    assert!(created.get("source").is_none());
    assert_eq!(server.api().get(&project("demo", "")).ok().await, created);
}

#[tokio::test]
async fn lists_are_newest_first_and_paged() {
    let server = TestServer::start().await;
    let api = server.api();
    for n in 0..12 {
        api.create_project(&format!("demo-{n}")).await;
    }
    let first = api.get(&projects()).send().await;
    let info = &first.json["result_info"];
    let expected = json!({ "page": 1, "per_page": 10, "count": 10, "total_count": 12, "total_pages": 2 });
    assert_eq!(info, &expected);
    assert_eq!(names(&first.json["result"])[..2], ["demo-11", "demo-10"]);
    let second = api.get(&format!("{}?page=2&per_page=5", projects())).ok().await;
    assert_eq!(names(&second), ["demo-6", "demo-5", "demo-4", "demo-3", "demo-2"]);
    let beyond = api.get(&format!("{}?page=9", projects())).ok().await;
    assert_eq!(beyond, json!([]));
}

#[tokio::test]
async fn a_patch_keeps_what_it_does_not_name() {
    let (_server, api) = server_with_demo().await;
    let path = project("demo", "");
    let first = json!({
        "build_config": { "build_command": "make", "root_dir": "site" },
        "deployment_configs": { "production": {
            "env_vars": { "A": { "value": "1" }, "B": { "value": "2" } },
            "kv_namespaces": { "KV": { "namespace_id": "k" }, "OLD": { "namespace_id": "o" } },
            "compatibility_flags": ["a", "b"],
            "placement": { "mode": "smart" },
            "limits": { "cpu_ms": 50 },
        } },
    });
    api.patch(&path).json(&first).ok().await;
    let second = json!({
        "build_config": { "root_dir": "other" },
        "deployment_configs": { "production": {
            "env_vars": { "A": null, "C": { "value": "3" } },
            "kv_namespaces": { "OLD": null },
            "compatibility_flags": ["c"],
            "placement": null,
        } },
        "not_a_member": { "of": "anything" },
    });
    let patched = api.patch(&path).json(&second).ok().await;
    assert_eq!(patched["build_config"]["build_command"], "make");
    assert_eq!(patched["build_config"]["root_dir"], "other");
    let production = &patched["deployment_configs"]["production"];
    let plain = |value: &str| json!({ "type": "plain_text", "value": value });
    assert_eq!(production["env_vars"], json!({ "B": plain("2"), "C": plain("3") }));
    assert_eq!(production["kv_namespaces"], json!({ "KV": { "namespace_id": "k" } }));
    assert_eq!(production["compatibility_flags"], json!(["c"]));
    assert_eq!(production["limits"], json!({ "cpu_ms": 50 }));
    let placement = production.get("placement");
    assert!(placement.is_none_or(Value::is_null) || placement == Some(&json!({ "mode": "" })));
    assert!(patched.get("not_a_member").is_none());
    assert_eq!(api.get(&path).ok().await, patched);
}

#[tokio::test]
async fn a_changed_production_branch_counts_from_the_next_deployment() {
    let (server, api) = server_with_demo().await;
    let live = Site::page("main").branch("main").deploy(&api, "demo").await;
    let patched = api.patch(&project("demo", "")).json(&json!({ "production_branch": "live" })).ok().await;
    assert_eq!(patched["canonical_deployment"]["id"], live["id"]);
    let preview = Site::page("still main").branch("main").deploy(&api, "demo").await;
    assert_eq!(preview["environment"], "preview");
    assert_eq!(server.page("demo.pages.localhost", "/").await, "main");
    Site::page("live").branch("live").deploy(&api, "demo").await;
    assert_eq!(server.page("demo.pages.localhost", "/").await, "live");
}

#[tokio::test]
async fn latest_is_of_any_environment_and_canonical_is_the_live_one() {
    let (_server, api) = server_with_demo().await;
    let live = Site::page("live").deploy(&api, "demo").await;
    let preview = Site::page("draft").branch("feature").deploy(&api, "demo").await;
    let settings = api.get(&project("demo", "")).ok().await;
    assert_eq!(settings["canonical_deployment"]["id"], live["id"]);
    assert_eq!(settings["latest_deployment"]["id"], preview["id"]);
}

#[tokio::test]
async fn a_deleted_project_is_gone_with_its_sites_and_its_name_is_free() {
    let (server, api) = server_with_demo().await;
    let deployment = Site::page("old").deploy(&api, "demo").await;
    api.delete(&project("demo", "")).ok().await;
    api.get(&project("demo", "")).refused(ErrorCode::ProjectNotFound).await;
    api.delete(&project("demo", "")).refused(ErrorCode::ProjectNotFound).await;
    server.answers("demo.pages.localhost", 404).await;
    let old = server.site_at(deployment["url"].as_str().unwrap(), "/").await.status();
    assert!(old == 404 || old == 410, "{old}");
    let again = api.create_project("demo").await;
    assert_eq!(again["latest_deployment"], Value::Null);
}
