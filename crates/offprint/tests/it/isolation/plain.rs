//! The builder without walls.

use super::Ground;

#[tokio::test]
async fn plain_processes_build_after_a_warning() {
    let Some(ground) = Ground::start(&[("OFFPRINT_BUILDER", "process")]).await else { return };
    assert!(ground.server.log().contains("WARN") && ground.server.log().contains("plain processes"));
    let built = ground.build("plain", "env; setsid sleep 86004 & sleep 0.2; exit 0").await;
    let log = built.went_live();
    assert!(log.contains("CF_PAGES=1") && !log.contains("OFFPRINT_"), "{log}");
    assert!(!super::death::lives("86004"));
}

#[tokio::test]
async fn a_builder_that_is_off_builds_nothing() {
    let Some(ground) = Ground::start(&[("OFFPRINT_BUILDER", "off")]).await else { return };
    let repository = ground.git.repository("off");
    repository.write("index.html", "built").commit("first");
    let source = serde_json::json!({ "type": "git", "config": { "clone_url": repository.url } });
    let body = serde_json::json!({ "name": "off", "production_branch": "main", "source": source });
    ground.api.post(&crate::support::projects()).json(&body).ok().await;
    let refused = ground.api.post(&crate::support::project("off", "/deployments")).send().await;
    assert_eq!(refused.code(), Some(8_100_011));
}
