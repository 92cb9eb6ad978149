//! Deployments after they were made: lists, polling, logs, retry, rollback, deletion, tails.

use offprint_model::stages::StageEnd;
use serde_json::{Value, json};

use crate::harness::{Api, deployments};

fn one(id: &Value) -> String {
    format!("{}/{}", deployments("demo"), id.as_str().unwrap())
}

/// A project with two live production deployments after one another; yields their ids.
async fn two_live(api: &Api) -> [Value; 2] {
    api.project("demo").await;
    let first = api.deploy("demo", "main", &[("/index.html", "one")]).await;
    api.run_job(StageEnd::Success).await;
    let second = api.deploy("demo", "main", &[("/index.html", "two")]).await;
    api.run_job(StageEnd::Success).await;
    [first["id"].clone(), second["id"].clone()]
}

#[tokio::test]
async fn lists_are_filtered_and_have_25_to_a_page() {
    let api = Api::start().await;
    api.project("demo").await;
    for n in 0..27 {
        let branch = if n % 9 == 0 { "main" } else { "other" };
        api.deploy("demo", branch, &[("/index.html", "x")]).await;
    }
    let list = async |query: &str| api.writer().get(&format!("{}?{query}", deployments("demo"))).await;
    let first = list("").await;
    assert_eq!(
        first.json["result_info"],
        json!({"page": 1, "per_page": 25, "count": 25, "total_count": 27, "total_pages": 2})
    );
    assert_eq!(list("page=2").await.result().as_array().unwrap().len(), 2);
    assert_eq!(list("page=3").await.result(), json!([]));
    let production = list("env=production").await;
    assert_eq!(production.json["result_info"]["total_count"], 3);
    assert!(production.result().as_array().unwrap().iter().all(|d| d["environment"] == "production"));
    assert_eq!(list("env=preview&per_page=10").await.result().as_array().unwrap().len(), 10);
    for bad in ["per_page=26", "page=0", "env=staging"] {
        assert_eq!(list(bad).await.refusal(), (400, 8_000_024), "{bad}");
    }
}

#[tokio::test]
async fn polling_sees_the_end_and_the_project_its_deployments() {
    let api = Api::start().await;
    api.project("demo").await;
    let made = api.deploy("demo", "feat/x", &[("/index.html", "x")]).await;
    let poll = async || api.reader().get(&one(&made["id"])).await.result();
    let latest = |deployment: &Value| {
        (deployment["latest_stage"]["name"].clone(), deployment["latest_stage"]["status"].clone())
    };
    assert_eq!(latest(&poll().await), (json!("queued"), json!("active")));
    api.run_job(StageEnd::Success).await;
    let done = poll().await;
    assert_eq!(latest(&done), (json!("deploy"), json!("success")));
    assert_eq!(done["aliases"], json!(["http://feat-x.demo.pages.localhost:8788"]));
    assert_eq!(done["stages"].as_array().unwrap().len(), 5);
    let project = api.reader().get("/accounts/{a}/pages/projects/demo").await.result();
    assert_eq!(project["latest_deployment"], done);
    assert_eq!(project["canonical_deployment"], Value::Null);
}

#[tokio::test]
async fn logs_count_their_lines() {
    let api = Api::start().await;
    let [first, _] = two_live(&api).await;
    let log = api.reader().get(&format!("{}/history/logs?size=10000000", one(&first))).await.result();
    assert_eq!(log["total"].as_u64().unwrap() as usize, log["data"].as_array().unwrap().len());
    let missing = api.reader().get(&format!("{}/no-such-id/history/logs", deployments("demo"))).await;
    assert_eq!(missing.refusal(), (404, 8_000_009));
}

#[tokio::test]
async fn a_rollback_changes_the_live_one_and_makes_none() {
    let api = Api::start().await;
    let [first, second] = two_live(&api).await;
    let live = async || {
        let project = api.reader().get("/accounts/{a}/pages/projects/demo").await.result();
        project["canonical_deployment"]["id"].clone()
    };
    assert_eq!(live().await, second);
    let wake = api.wake.clone();
    let back = api.writer().post_empty(&format!("{}/rollback", one(&first))).await.result();
    assert_eq!(back["id"], first);
    assert_eq!(live().await, first);
    tokio::time::timeout(std::time::Duration::from_secs(1), wake.edge_woken()).await.unwrap();
    let all = api.reader().get(&deployments("demo")).await;
    assert_eq!(all.json["result_info"]["total_count"], 2);
}

#[tokio::test]
async fn what_never_went_live_cannot_be_rolled_back_to() {
    let api = Api::start().await;
    api.project("demo").await;
    let failed = api.deploy("demo", "main", &[("/index.html", "x")]).await;
    api.run_job(StageEnd::Failure).await;
    let answer = api.writer().post_empty(&format!("{}/rollback", one(&failed["id"]))).await;
    assert_eq!(answer.refusal(), (400, 8_100_012));
}

#[tokio::test]
async fn a_retry_is_a_new_deployment_of_the_same() {
    let api = Api::start().await;
    let [first, _] = two_live(&api).await;
    let retried = api.writer().post_empty(&format!("{}/retry", one(&first))).await.result();
    assert_ne!(retried["id"], first);
    assert_eq!(retried["deployment_trigger"]["metadata"]["branch"], "main");
    assert_eq!(retried["latest_stage"]["name"], "queued");
    let missing = api.writer().post_empty(&format!("{}/no-such-id/retry", deployments("demo"))).await;
    assert_eq!(missing.refusal(), (404, 8_000_009));
}

#[tokio::test]
async fn the_live_one_stays_and_an_aliased_one_needs_force() {
    let api = Api::start().await;
    let [first, second] = two_live(&api).await;
    let preview = api.deploy("demo", "feat", &[("/index.html", "x")]).await["id"].clone();
    api.run_job(StageEnd::Success).await;
    assert_eq!(api.writer().delete(&one(&second)).await.refusal(), (400, 8_000_034));
    let forced = api.writer().delete(&format!("{}?force=true", one(&second))).await;
    assert_eq!(forced.refusal(), (400, 8_000_034));
    assert_eq!(api.writer().delete(&one(&preview)).await.refusal(), (400, 8_000_035));
    let unforced = api.writer().delete(&format!("{}?force=false", one(&preview))).await;
    assert_eq!(unforced.refusal(), (400, 8_000_035));
    assert_eq!(api.writer().delete(&format!("{}?force=true", one(&preview))).await.result(), Value::Null);
    assert_eq!(api.writer().delete(&one(&first)).await.result(), Value::Null);
    assert_eq!(api.writer().delete(&one(&first)).await.refusal(), (404, 8_000_009));
    assert_eq!(api.reader().get(&one(&first)).await.refusal(), (404, 8_000_009));
}

#[tokio::test]
async fn another_projects_deployment_is_not_found() {
    let api = Api::start().await;
    let [first, _] = two_live(&api).await;
    api.project("other").await;
    let path = format!("{}/{}", deployments("other"), first.as_str().unwrap());
    assert_eq!(api.writer().get(&path).await.refusal(), (404, 8_000_009));
    assert_eq!(api.writer().post_empty(&format!("{path}/rollback")).await.refusal(), (404, 8_000_009));
}

#[tokio::test]
async fn a_static_site_has_no_tails() {
    let api = Api::start().await;
    let [first, _] = two_live(&api).await;
    let tails = format!("{}/tails", one(&first));
    let filters = json!({"filters": [{"method": ["GET"]}]});
    assert_eq!(api.writer().post(&tails, &filters).await.refusal(), (404, 8_000_068));
    assert_eq!(api.writer().post_empty(&tails).await.refusal(), (404, 8_000_068));
    let short = format!("{}/{}/tails", deployments("demo"), &first.as_str().unwrap()[..8]);
    assert_eq!(api.writer().post_empty(&short).await.refusal(), (404, 8_000_068));
    assert_eq!(api.writer().post(&tails, &json!({"filters": 1})).await.refusal(), (400, 8_000_006));
    assert_eq!(api.writer().delete(&format!("{tails}/some-id")).await.result(), Value::Null);
}
