//! Pushes: which of them deploy, and what is recorded of the others.

use serde_json::{Value, json};

use super::{Forge, forges};
use crate::support::TestServer;

/// Sends a push and finds the deployment that the answer names.
async fn pushed(server: &TestServer, forge: &Forge, name: &str) -> Value {
    let answer = forge.send(name).await.ok();
    let deployments = forge.deployments(server).await;
    assert_eq!(answer["id"], deployments[0]["id"], "{} {name}", forge.kind);
    assert_eq!(answer.get("skip_reason"), deployments[0].get("skip_reason"), "{} {name}", forge.kind);
    deployments[0].clone()
}

#[tokio::test]
async fn a_push_deploys_its_branch() {
    let (server, forges) = forges().await;
    for forge in &forges {
        for (name, branch, environment, message) in [
            ("push", "main", "production", "Greet people by name\n\nThey like that."),
            ("forced_push", "feature/greeting", "preview", "Greet people once"),
            ("new_branch", "feature/greeting", "preview", "Greet people by name\n\nThey like that."),
        ] {
            let made = pushed(&server, forge, name).await;
            let trigger = &made["deployment_trigger"];
            assert_eq!(trigger["type"], format!("{}:push", forge.kind));
            assert_eq!(trigger["metadata"]["branch"], branch, "{} {name}", forge.kind);
            assert_eq!(made["environment"], environment, "{} {name}", forge.kind);
            assert_eq!(made["is_skipped"], false, "{} {name}", forge.kind);
            // GitLab lists no commit of a new branch, so only the build can find the message.
            let message = if (forge.kind, name) == ("gitlab", "new_branch") { "" } else { message };
            assert_eq!(trigger["metadata"]["commit_message"], message, "{} {name}", forge.kind);
            assert_eq!(trigger["metadata"]["commit_hash"].as_str().unwrap().len(), 40);
        }
    }
}

#[tokio::test]
async fn a_marked_commit_is_recorded_and_not_built() {
    let (server, forges) = forges().await;
    for forge in &forges {
        let made = pushed(&server, forge, "skip_ci").await;
        assert_eq!(made["is_skipped"], true, "{}", forge.kind);
        assert_eq!(made["skip_reason"], "commit_message", "{}", forge.kind);
        assert_eq!(made["latest_stage"]["status"], "skipped", "{}", forge.kind);
    }
}

#[tokio::test]
async fn a_push_of_unwatched_paths_is_recorded_and_not_built() {
    let (server, forges) = forges().await;
    for forge in &forges {
        forge.configure(&server, json!({"path_excludes": ["docs/*", "*.md"]})).await;
        let made = pushed(&server, forge, "docs_only").await;
        assert_eq!(made["skip_reason"], "path_config", "{}", forge.kind);
        assert_eq!(
            pushed(&server, forge, "push").await["is_skipped"],
            false,
            "{}: it has others too",
            forge.kind
        );
        let many = pushed(&server, forge, "many_commits").await;
        assert_eq!(many["is_skipped"], false, "{}: 25 commits are not looked through", forge.kind);
    }
}

#[tokio::test]
async fn switches_and_branch_patterns_are_obeyed() {
    let (server, forges) = forges().await;
    for forge in &forges {
        let custom = json!({"production_deployments_enabled": false, "preview_deployment_setting": "custom",
            "preview_branch_includes": ["feature/*"], "preview_branch_excludes": ["*/greeting"]});
        forge.configure(&server, custom).await;
        let reason = pushed(&server, forge, "push").await["skip_reason"].clone();
        assert_eq!(reason, "production_deployments_disabled", "{}", forge.kind);
        assert_eq!(
            pushed(&server, forge, "new_branch").await["skip_reason"],
            "branch_config",
            "{}",
            forge.kind
        );
        forge.configure(&server, json!({"preview_deployment_setting": "none"})).await;
        let reason = pushed(&server, forge, "forced_push").await["skip_reason"].clone();
        assert_eq!(reason, "preview_deployments_disabled", "{}", forge.kind);
    }
}

#[tokio::test]
async fn deletions_tags_and_other_events_deploy_nothing_and_are_no_error() {
    let (server, forges) = forges().await;
    for forge in &forges {
        for (name, why) in [
            ("branch_deleted", "the branch was deleted"),
            ("tag", "a tag does not deploy"),
            ("other", "does not deploy"),
        ] {
            let answer = forge.send(name).await.ok();
            let ignored = answer["ignored"].as_str().unwrap();
            assert!(ignored.contains(why), "{} {name}: {ignored}", forge.kind);
        }
        assert_eq!(forge.deployments(&server).await.len(), 0, "{}", forge.kind);
    }
}
