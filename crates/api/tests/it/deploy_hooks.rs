//! Deploy hooks: made, listed, called and revoked.

use serde_json::{Value, json};

use crate::harness::{Api, demo};

/// The path of a hook's URL, below the API's prefix.
fn path_of(hook: &Value) -> String {
    hook["url"].as_str().unwrap().strip_prefix("http://localhost:8788/client/v4").unwrap().to_owned()
}

async fn make(api: &Api, branch: &str) -> Value {
    api.writer().post(&demo("/deploy_hooks"), &json!({"name": "CMS", "branch": branch})).await.result()
}

#[tokio::test]
async fn whoever_knows_the_url_builds_the_branch() {
    let api = Api::start().await;
    api.built_project().await;
    let hook = make(&api, "content").await;
    assert_eq!((&hook["name"], &hook["branch"]), (&json!("CMS"), &json!("content")));
    let built = api.anonymous().post_empty(&path_of(&hook)).await.result();
    let deployment = &api.deployments().await[0];
    assert_eq!(built, json!({"id": deployment["id"]}), "the answer of the real service");
    assert_eq!(deployment["deployment_trigger"]["type"], "deploy_hook");
    assert_eq!(deployment["deployment_trigger"]["metadata"]["branch"], "content");
    assert_eq!(deployment["environment"], "preview");
    let body = api.anonymous().post(&path_of(&hook), &json!({"any": "thing"})).await;
    body.ok();
}

#[tokio::test]
async fn hooks_are_listed_and_revoked() {
    let api = Api::start().await;
    api.built_project().await;
    let (main, other) = (make(&api, "main").await, make(&api, "other").await);
    let list = async || api.writer().get(&demo("/deploy_hooks")).await.result();
    assert_eq!(list().await, json!([main, other]));
    assert_eq!(
        api.reader().get(&demo("/deploy_hooks")).await.refusal(),
        (403, 10000),
        "their URLs are secrets"
    );
    let one = demo(&format!("/deploy_hooks/{}", main["id"].as_str().unwrap()));
    assert_eq!(api.writer().delete(&one).await.result(), Value::Null);
    assert_eq!(api.writer().delete(&one).await.refusal(), (404, 8_100_016));
    assert_eq!(api.anonymous().post_empty(&path_of(&main)).await.refusal(), (404, 8_100_016));
    assert_eq!(list().await, json!([other]));
}

#[tokio::test]
async fn a_branch_has_one_hook() {
    let api = Api::start().await;
    api.built_project().await;
    make(&api, "main").await;
    let again = json!({"name": "another", "branch": "main"});
    assert_eq!(api.writer().post(&demo("/deploy_hooks"), &again).await.refusal(), (409, 8_100_020));
    assert_eq!(
        api.writer().post(&demo("/deploy_hooks"), &json!({"name": "x"})).await.refusal(),
        (400, 8_000_006)
    );
}

#[tokio::test]
async fn unknown_hooks_and_projects_without_a_repository_build_nothing() {
    let api = Api::start().await;
    api.project("demo").await;
    let new = json!({"name": "x", "branch": "main"});
    assert_eq!(api.writer().post(&demo("/deploy_hooks"), &new).await.refusal(), (400, 8_100_010));
    for id in ["00000000-0000-4000-8000-000000000000", "x", "%27"] {
        let answer = api.anonymous().post_empty(&format!("/pages/webhooks/deploy_hooks/{id}")).await;
        assert_eq!(answer.refusal(), (404, 8_100_016), "{id}");
    }
}
