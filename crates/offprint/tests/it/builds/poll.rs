//! Repositories whose forge cannot reach the server: it looks for new commits itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::{DEMO, Ground, HOST, PAUSE, page};
use crate::support::{project, projects};

async fn connect(ground: &Ground, url: &str) {
    let body = json!({
        "name": DEMO,
        "production_branch": "main",
        "source": { "type": "git", "config": { "clone_url": url, "poll": true } },
    });
    ground.api.post(&projects()).json(&body).ok().await;
}

/// Waits until there are so many deployments, newest first.
async fn deployments(ground: &Ground, count: usize) -> Vec<Value> {
    for _ in 0..1200 {
        let list = ground.api.get(&project(DEMO, "/deployments")).ok().await;
        let list = list.as_array().unwrap().clone();
        if list.len() >= count {
            assert_eq!(list.len(), count, "{list:?}");
            return list;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("there are not {count} deployments:\n{}", ground.server.log());
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

#[tokio::test]
async fn new_commits_are_found_without_a_webhook() {
    let Some(ground) = Ground::start_with(&[("OFFPRINT_POLL_INTERVAL", "1")]).await else { return };
    let repository = page(&ground.git, "production");
    repository.commit("first");
    repository.branch("old").commit("of long ago");
    connect(&ground, &repository.url).await;
    let first = deployments(&ground, 1).await.remove(0);
    assert_eq!(text(&first, "/deployment_trigger/type"), "git:push");
    assert_eq!(text(&first, "/deployment_trigger/metadata/branch"), "main");
    let live = ground.live(text(&first, "/id")).await;
    assert_eq!(text(&live, "/deployment_trigger/metadata/commit_message"), "first");
    ground.server.shows(HOST, "production").await;

    repository.branch("new").write("index.html", "preview").commit("second");
    let second = deployments(&ground, 2).await.remove(0);
    assert_eq!(text(&second, "/deployment_trigger/metadata/branch"), "new");
    ground.live(text(&second, "/id")).await;
    ground.server.shows("new.demo.pages.localhost", "preview").await;

    repository.commit("[skip ci] third");
    let third = deployments(&ground, 3).await.remove(0);
    let skipped = ground.ended(text(&third, "/id")).await;
    assert_eq!((&skipped["is_skipped"], &skipped["skip_reason"]), (&json!(true), &json!("commit_message")));

    repository.delete_branch("old");
    tokio::time::sleep(Duration::from_secs(3)).await;
    deployments(&ground, 3).await;
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_is_asked_again() {
    let Some(ground) = Ground::start_with(&[("OFFPRINT_POLL_INTERVAL", "1")]).await else { return };
    let url = ground.git.repository("early").url.replace("early", "site");
    connect(&ground, &url).await;
    for _ in 0..200 {
        if ground.server.log().contains("cannot look for new commits") {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    assert!(ground.server.log().contains("cannot look for new commits"), "the operator learns of it");
    page(&ground.git, "late").commit("at last");
    let first = deployments(&ground, 1).await.remove(0);
    ground.live(text(&first, "/id")).await;
}
