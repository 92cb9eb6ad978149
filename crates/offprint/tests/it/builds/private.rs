//! Private repositories: the token clones, and nothing of it is left for the build or the log.

use serde_json::json;

use super::{DEMO, Ground, HOST, page};
use crate::support::project;

const TOKEN: &str = "ghp-token-of-a-private-repository";

#[tokio::test]
async fn a_private_repository_is_cloned_with_a_token_that_the_build_never_sees() {
    let Some(ground) = Ground::start().await else { return };
    let repository = page(&ground.git, "private");
    ground.git.protect("site", TOKEN);
    let command = "env | sort; cat .git/config; git config --list --show-origin; \
                   cat ~/.git-credentials ~/.netrc ~/.config/git/credentials; \
                   git ls-remote origin && echo the build may \"read the\" repository; \
                   grep -rl ghp-token ~ . /tmp /proc/self/environ; true";
    ground.connect(&repository, json!({ "build_command": command })).await;
    ground.set_credentials(&json!({ "token": TOKEN })).await;
    let id = ground.push(&repository, "main", "first").await;
    ground.live(&id).await;
    ground.server.shows(HOST, "private").await;
    let log = ground.log(&id).await;
    assert!(!log.contains(TOKEN) && !log.contains("***"), "{log}");
    assert!(!log.contains("the build may read the repository"), "{log}");
    assert!(!ground.server.log().contains(TOKEN));
    assert!(ground.git.seen().iter().any(|request| request.ends_with("authorized")));
}

#[tokio::test]
async fn without_a_token_the_log_says_what_is_missing() {
    let Some(ground) = Ground::start().await else { return };
    let repository = page(&ground.git, "private");
    ground.git.protect("site", TOKEN);
    ground.connect(&repository, json!({})).await;
    let id = ground.push(&repository, "main", "first").await;
    let log = ground.failed(&id, "clone_repo").await;
    assert!(log.to_lowercase().contains("token"), "{log}");
    let deployment = ground.api.get(&project(DEMO, &format!("/deployments/{id}"))).ok().await;
    assert_eq!(deployment["latest_stage"]["name"], "clone_repo");
}

#[tokio::test]
async fn a_local_path_is_read_only_where_the_operator_allows_it() {
    let Some(ground) = Ground::start().await else { return };
    let repository = page(&ground.git, "local");
    repository.commit("first");
    let config = json!({ "clone_url": repository.bare() });
    let body =
        json!({ "name": DEMO, "production_branch": "main", "source": { "type": "git", "config": config } });
    ground.api.post(&crate::support::projects()).json(&body).ok().await;
    let made = ground.api.post(&project(DEMO, "/deployments")).ok().await;
    let log = ground.failed(made["id"].as_str().unwrap(), "clone_repo").await;
    assert!(log.contains("operator"), "{log}");
}
