//! Projects: made, shown, changed, deleted.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::Api;

const PROJECTS: &str = "/accounts/{a}/pages/projects";
const DEMO: &str = "/accounts/{a}/pages/projects/demo";

#[tokio::test]
async fn a_new_project_has_the_shape_of_the_real_service() {
    let api = Api::start().await;
    let mut project = api.project("demo").await;
    for (member, pattern) in [("id", 36), ("created_on", 0)] {
        let text = project[member].as_str().unwrap().to_owned();
        assert!(pattern == 0 || text.len() == pattern, "{member}: {text}");
        project[member] = json!("-");
    }
    let date = project["deployment_configs"]["production"]["compatibility_date"].clone();
    let script = project["production_script_name"].as_str().unwrap().to_owned();
    let number = script.strip_prefix("pages-worker--").unwrap().strip_suffix("-production").unwrap();
    assert!(number.parse::<u64>().is_ok());
    let environment = json!({
        "env_vars": null, "fail_open": true, "always_use_latest_compatibility_date": false,
        "compatibility_date": date, "compatibility_flags": [], "build_image_major_version": 3,
        "usage_model": "standard"
    });
    let expected = json!({
        "id": "-", "name": "demo", "subdomain": "demo.pages.localhost", "domains": ["demo.pages.localhost"],
        "build_config": {"web_analytics_tag": null, "web_analytics_token": null},
        "deployment_configs": {"preview": environment, "production": environment},
        "latest_deployment": null, "canonical_deployment": null, "created_on": "-",
        "production_branch": "main",
        "production_script_name": script, "preview_script_name": format!("pages-worker--{number}-preview"),
        "uses_functions": false, "framework": "", "framework_version": ""
    });
    assert_eq!(project, expected);
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let api = Api::start().await;
    api.project("demo").await;
    let answer = api.writer().post(PROJECTS, &json!({"name": "demo", "production_branch": "m"})).await;
    assert_eq!(answer.refusal(), (409, 8_000_002));
    assert_eq!(answer.headers["x-should-retry"], "false");
}

#[tokio::test]
async fn a_project_that_is_not_there_has_8000007() {
    let api = Api::start().await;
    for name in ["demo", "Not_A_Name", "%2e%2e", &"x".repeat(300)] {
        let answer = api.writer().get(&format!("{PROJECTS}/{name}")).await;
        assert_eq!(answer.refusal(), (404, 8_000_007), "{name}");
    }
}

#[tokio::test]
async fn lists_have_pages_and_an_empty_one_beyond_the_end() {
    let api = Api::start().await;
    for n in 0..12 {
        api.project(&format!("p{n}")).await;
    }
    let page = async |query: &str| api.writer().get(&format!("{PROJECTS}?{query}")).await;
    let first = page("").await;
    assert_eq!(
        first.json["result_info"],
        json!({"page": 1, "per_page": 10, "count": 10, "total_count": 12, "total_pages": 2})
    );
    assert_eq!(first.json["result"][0]["name"], "p11", "newest first");
    assert_eq!(page("page=2&per_page=10").await.result().as_array().unwrap().len(), 2);
    assert_eq!(page("page=3&per_page=10").await.result(), json!([]));
    assert_eq!(page("page=99999999999999999").await.result(), json!([]));
    for bad in ["page=0", "page=-1", "per_page=0", "per_page=101", "page=x"] {
        assert_eq!(page(bad).await.refusal(), (400, 8_000_024), "{bad}");
    }
}

#[tokio::test]
async fn a_patch_merges() {
    let api = Api::start().await;
    api.project("demo").await;
    let patch = async |json: Value| api.writer().patch(DEMO, &json).await.result();
    patch(json!({"deployment_configs": {"production": {"env_vars": {
        "BUILD_VERSION": {"value": "3.2"}, "delete_this_env_var": {"value": "x"}},
        "kv_namespaces": {"KV": {"namespace_id": "1"}}}}}))
    .await;
    let changed = patch(json!({"deployment_configs": {"production": {"env_vars": {
        "BUILD_VERSION": {"value": "3.3"}, "delete_this_env_var": null,
        "secret_var": {"type": "secret_text", "value": "A_CMS_API_TOKEN"}}}},
        "build_config": {"build_command": "npm run build"}, "unknown": true}))
    .await;
    let production = &changed["deployment_configs"]["production"];
    assert_eq!(
        production["env_vars"],
        json!({"BUILD_VERSION": {"type": "plain_text", "value": "3.3"}, "secret_var": {"type": "secret_text", "value": ""}})
    );
    assert_eq!(production["kv_namespaces"], json!({"KV": {"namespace_id": "1"}}));
    assert_eq!(changed["deployment_configs"]["preview"]["env_vars"], json!(null));
    assert_eq!(changed["build_config"]["build_command"], "npm run build");
    let kept = patch(json!({})).await;
    assert_eq!(kept, changed);
}

#[tokio::test]
async fn a_secret_is_never_shown() {
    let api = Api::start().await;
    let secret = json!({"A": {"type": "secret_text", "value": "hunter2-is-the-secret"}});
    let configs = json!({"production": {"env_vars": secret}, "preview": {"env_vars": secret}});
    let body = json!({"name": "demo", "production_branch": "main", "deployment_configs": configs});
    let mut answers = vec![api.writer().post(PROJECTS, &body).await];
    answers.push(api.writer().patch(DEMO, &json!({"deployment_configs": configs})).await);
    api.deploy("demo", "main", &[("/index.html", "x")]).await;
    answers.push(api.writer().get(DEMO).await);
    answers.push(api.writer().get(PROJECTS).await);
    answers.push(api.writer().get(&format!("{DEMO}/deployments")).await);
    for answer in answers {
        answer.ok();
        let text = answer.json.to_string();
        assert!(!text.contains("hunter2") && text.contains("secret_text"), "{text}");
    }
}

#[tokio::test]
async fn a_patch_without_a_body_changes_nothing() {
    let api = Api::start().await;
    let made = api.project("demo").await;
    let answer = api.writer().send(Method::PATCH, DEMO, Some("application/json"), Body::empty()).await;
    assert_eq!(answer.result(), made);
}

#[tokio::test]
async fn a_repository_is_kept_and_cannot_be_changed() {
    let api = Api::start().await;
    let source =
        json!({"type": "github", "config": {"owner": "o", "repo_name": "r", "production_branch": "main"}});
    let body = json!({"name": "demo", "production_branch": "main", "source": source});
    let made = api.writer().post(PROJECTS, &body).await.result();
    assert_eq!(made["source"]["config"].as_object().unwrap().len(), 13);
    let other = json!({"source": {"type": "github", "config": {"repo_name": "other"}}});
    assert_eq!(api.writer().patch(DEMO, &other).await.refusal(), (400, 8_100_017));
}

#[tokio::test]
async fn a_repository_of_one_s_own_forge_is_kept() {
    let api = Api::start().await;
    let config = json!({"clone_url": "https://git.example.com/o/r.git", "poll": true});
    let body =
        json!({"name": "demo", "production_branch": "main", "source": {"type": "forgejo", "config": config}});
    api.writer().post(PROJECTS, &body).await.ok();
    let shown = api.reader().get(DEMO).await.result();
    let config = &shown["source"]["config"];
    assert_eq!((&shown["source"]["type"], &config["owner"]), (&json!("forgejo"), &json!("o")));
    assert_eq!(
        (&config["clone_url"], &config["poll"]),
        (&json!("https://git.example.com/o/r.git"), &json!(true))
    );
    let change = json!({"source": {"config": {"production_branch": "trunk", "poll": false}}});
    let changed = api.writer().patch(DEMO, &change).await.result();
    assert_eq!(changed["production_branch"], "trunk", "the repository's branch is the project's");
    assert_eq!(changed["source"]["config"].get("poll"), None);
    let moved = json!({"source": {"config": {"clone_url": "https://git.example.com/o/other.git"}}});
    assert_eq!(api.writer().patch(DEMO, &moved).await.refusal(), (400, 8_100_017));
}

#[tokio::test]
async fn repositories_that_git_could_misread_are_refused() {
    let api = Api::start().await;
    for (kind, config) in [
        ("github", json!({"repo_name": "r"})),
        ("gitlab", json!({"owner": "o"})),
        ("github", json!({"owner": "o/../..", "repo_name": "r"})),
        ("git", json!({})),
        ("git", json!({"clone_url": "ext::sh -c id"})),
        ("git", json!({"clone_url": "--upload-pack=id"})),
        ("git", json!({"clone_url": "https://user:pass@example.com/r"})),
        ("svn", json!({"clone_url": "/srv/r"})),
    ] {
        let source = json!({"type": kind, "config": config});
        let body = json!({"name": "demo", "production_branch": "main", "source": source});
        assert_eq!(api.writer().post(PROJECTS, &body).await.refusal(), (400, 8_000_006), "{body}");
    }
    assert_eq!(api.writer().get(DEMO).await.refusal(), (404, 8_000_007), "nothing was made");
}

#[tokio::test]
async fn deleting_leaves_nothing_and_is_refused_twice() {
    let api = Api::start().await;
    api.project("demo").await;
    api.deploy("demo", "main", &[("/index.html", "x")]).await;
    assert_eq!(api.writer().delete(DEMO).await.result(), Value::Null);
    assert_eq!(api.writer().delete(DEMO).await.refusal(), (404, 8_000_007));
    api.project("demo").await;
}

#[tokio::test]
async fn purging_the_build_cache_is_done() {
    let api = Api::start().await;
    api.project("demo").await;
    assert_eq!(api.writer().post_empty(&format!("{DEMO}/purge_build_cache")).await.result(), Value::Null);
}
