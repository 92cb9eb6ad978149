//! Pull requests: those of a fork wait for a person, and see no secrets.

use offprint_wire::error_code::ErrorCode;
use serde_json::{Value, json};

use super::forges;
use crate::support::project;

#[tokio::test]
async fn a_pull_request_of_the_repository_is_noted_and_builds_nothing_by_itself() {
    let (server, forges) = forges().await;
    for forge in &forges {
        assert_eq!(forge.send("pull_request").await.ok(), json!({"pull_request": 7}), "{}", forge.kind);
        let list = async || server.api().get(&project(forge.kind, "/pull_requests")).ok().await;
        let listed = list().await;
        assert_eq!(listed[0]["branch"], "feature/greeting", "{}", forge.kind);
        assert_eq!(
            (&listed[0]["is_fork"], &listed[0]["is_open"]),
            (&json!(false), &json!(true)),
            "{}",
            forge.kind
        );
        forge.send("pull_request_closed").await.ok();
        assert_eq!(list().await[0]["is_open"], false, "{}", forge.kind);
        assert_eq!(forge.deployments(&server).await.len(), 0, "{}", forge.kind);
    }
}

#[tokio::test]
async fn a_fork_is_built_when_its_commit_was_approved_and_sees_no_secrets() {
    let (server, forges) = forges().await;
    for forge in &forges {
        let noted = forge.send("fork_pull_request").await.ok();
        assert_eq!(noted, json!({"pull_request": 8, "waits_for": "approval"}), "{}", forge.kind);
        assert_eq!(forge.deployments(&server).await.len(), 0, "{}", forge.kind);
        let listed = server.api().get(&project(forge.kind, "/pull_requests")).ok().await;
        assert_eq!((&listed[0]["is_fork"], &listed[0]["approved_commit_hash"]), (&json!(true), &Value::Null));
        let commit = listed[0]["commit_hash"].as_str().unwrap();
        let approve = |hash: &str| {
            let path = project(forge.kind, "/pull_requests/8/approve");
            server.api().post(&path).json(&json!({ "commit_hash": hash }))
        };
        approve(&"0".repeat(40)).refused(ErrorCode::NotApprovable).await;
        let built = approve(commit).ok().await;
        assert_eq!(built["environment"], "preview", "{}: though its branch is called main", forge.kind);
        assert_eq!(built["deployment_trigger"]["metadata"]["commit_hash"], commit, "{}", forge.kind);
        let names: Vec<&String> = built["env_vars"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["PLAIN"], "{}", forge.kind);
    }
}

#[tokio::test]
async fn an_approval_is_for_one_commit() {
    let (server, forges) = forges().await;
    for forge in &forges {
        forge.send("fork_pull_request").await.ok();
        let path = project(forge.kind, "/pull_requests");
        let before = server.api().get(&path).ok().await[0]["commit_hash"].as_str().unwrap().to_owned();
        // While the person looks, the stranger pushes.
        let body = forge.fixture("fork_pull_request").replace(&before, &"9".repeat(40));
        forge
            .send_body(super::event_of(forge.kind, "fork_pull_request"), &body, super::Wrong::Nothing)
            .await
            .ok();
        let approval = json!({ "commit_hash": before });
        let approve = server.api().post(&format!("{path}/8/approve")).json(&approval);
        approve.refused(ErrorCode::NotApprovable).await;
        assert_eq!(forge.deployments(&server).await.len(), 0, "{}", forge.kind);
    }
}

#[tokio::test]
async fn a_fork_that_is_gone_is_still_one() {
    let (server, forges) = forges().await;
    for forge in &forges {
        let noted = forge.send("fork_deleted").await.ok();
        assert_eq!(noted["waits_for"], "approval", "{}", forge.kind);
        let reader = server.bearer(&server.api().create_read_token().await);
        let approval = json!({ "commit_hash": "0".repeat(40) });
        let path = project(forge.kind, "/pull_requests/8/approve");
        reader.post(&path).json(&approval).refused(ErrorCode::PermissionDenied).await;
    }
}
