//! Builds that a person or a program asks for: `POST …/deployments`, retry, cancel.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::harness::{Api, demo, deployments, form};

#[tokio::test]
async fn a_post_without_a_form_builds_the_production_branch() {
    let api = Api::start().await;
    api.built_project().await;
    let built = api.writer().post_empty(&deployments("demo")).await.result();
    assert_eq!(built["environment"], "production");
    assert_eq!(built["deployment_trigger"]["type"], "ad_hoc");
    assert_eq!(built["deployment_trigger"]["metadata"]["branch"], "main");
    assert_eq!(built["deployment_trigger"]["metadata"]["commit_hash"], "", "the build finds it out");
    assert_eq!(built["latest_stage"]["name"], "queued");
    assert_eq!(built["source"]["config"]["repo_name"], "site");
    let lease = api.claim_build().await.unwrap();
    assert_eq!(lease.deployment_id().as_str(), built["id"].as_str().unwrap());
}

#[tokio::test]
async fn a_branch_may_be_given_in_a_form_or_in_json() {
    let api = Api::start().await;
    api.built_project().await;
    let by_form =
        api.writer().send_form(&deployments("demo"), form(&[("branch", b"feature/a")])).await.result();
    let by_json = api.writer().post(&deployments("demo"), &json!({"branch": "feature/b"})).await.result();
    for (built, branch) in [(by_form, "feature/a"), (by_json, "feature/b")] {
        assert_eq!(built["environment"], "preview");
        assert_eq!(built["deployment_trigger"]["metadata"]["branch"], branch);
    }
    let empty = api.writer().send_form(&deployments("demo"), form(&[])).await.result();
    assert_eq!(empty["environment"], "production");
}

#[tokio::test]
async fn a_bad_branch_makes_nothing() {
    let api = Api::start().await;
    api.built_project().await;
    for body in [r#"{"branch": ""}"#, r#"{"branch": 1}"#, "[]", "{", r#"{"branch": "a\nb"}"#] {
        let answer = api.writer().send(Method::POST, &deployments("demo"), None, Body::from(body)).await;
        assert_eq!(answer.refusal(), (400, 8_000_006), "{body}");
    }
    assert_eq!(api.deployments().await, [] as [serde_json::Value; 0]);
}

#[tokio::test]
async fn a_project_without_a_repository_has_nothing_to_build() {
    let api = Api::start().await;
    api.project("demo").await;
    assert_eq!(api.writer().post_empty(&deployments("demo")).await.refusal(), (400, 8_100_010));
    let without_manifest = api.writer().send_form(&deployments("demo"), form(&[("branch", b"x")])).await;
    assert_eq!(without_manifest.refusal(), (400, 8_000_096));
}

#[tokio::test]
async fn a_server_without_a_builder_says_so() {
    let api = Api::without_builder().await;
    api.built_project().await;
    assert_eq!(api.writer().post_empty(&deployments("demo")).await.refusal(), (400, 8_100_011));
    assert_eq!(api.deployments().await, [] as [serde_json::Value; 0]);
}

#[tokio::test]
async fn a_newer_build_of_a_branch_supersedes_one_that_waits() {
    let api = Api::start().await;
    api.built_project().await;
    let post = async |branch: &str| {
        api.writer().post(&deployments("demo"), &json!({ "branch": branch })).await.result()["id"].clone()
    };
    let (first, other) = (post("a").await, post("b").await);
    post("a").await;
    let shown = |id: &serde_json::Value| demo(&format!("/deployments/{}", id.as_str().unwrap()));
    let skipped = api.reader().get(&shown(&first)).await.result();
    assert_eq!(
        (&skipped["is_skipped"], &skipped["skip_reason"]),
        (&json!(true), &json!("superseded_queued_build"))
    );
    assert_eq!(skipped["latest_stage"]["status"], "skipped");
    assert_eq!(api.reader().get(&shown(&other)).await.result()["is_skipped"], false);
}

#[tokio::test]
async fn a_deployment_is_canceled_once_and_can_be_built_again() {
    let api = Api::start().await;
    api.built_project().await;
    let built = api.writer().post_empty(&deployments("demo")).await.result();
    let one = demo(&format!("/deployments/{}", built["id"].as_str().unwrap()));
    assert_eq!(api.reader().post_empty(&format!("{one}/cancel")).await.refusal(), (403, 10000));
    let canceled = api.writer().post_empty(&format!("{one}/cancel")).await.result();
    assert_eq!(canceled["latest_stage"]["status"], "canceled");
    assert_eq!(api.writer().post_empty(&format!("{one}/cancel")).await.refusal(), (400, 8_100_025));
    assert!(api.claim_build().await.is_none(), "nobody builds it any more");
    let log = api.reader().get(&format!("{one}/history/logs")).await.result();
    assert_eq!(log["data"][0]["line"], "Canceled.");
    let again = api.writer().post_empty(&format!("{one}/retry")).await.result();
    assert_ne!(again["id"], built["id"]);
    assert!(api.claim_build().await.is_some());
    let nobody = demo("/deployments/nobody/cancel");
    assert_eq!(api.writer().post_empty(&nobody).await.refusal(), (404, 8_000_009));
}
