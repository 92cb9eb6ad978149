//! What is live when builds overtake one another.

use serde_json::json;

use super::{Ground, HOST, page};
use crate::support::host_of;

#[tokio::test]
async fn a_slow_older_build_does_not_replace_a_newer_one() {
    let settings = [("OFFPRINT_BUILDS_PER_ACCOUNT", "2"), ("OFFPRINT_BUILD_WORKERS", "2")];
    let Some(ground) = Ground::start_with(&settings).await else { return };
    let repository = page(&ground.git, "older");
    repository.write("build.sh", ground.git.gate());
    ground.connect(&repository, json!({ "build_command": "sh build.sh" })).await;
    let older = ground.push(&repository, "main", "older").await;
    ground.git.comes_to_gate(1).await;
    repository.write("index.html", "newer").write("build.sh", "true");
    let newer = ground.push(&repository, "main", "newer").await;
    ground.live(&newer).await;
    ground.server.shows(HOST, "newer").await;

    ground.git.open_gate();
    let done = ground.live(&older).await;
    let own = host_of(done["url"].as_str().unwrap());
    ground.server.shows(own, "older").await;
    ground.server.shows(HOST, "newer").await;
}

#[tokio::test]
async fn a_push_that_waits_is_skipped_when_a_newer_one_comes() {
    let Some(ground) = Ground::start_with(&[("OFFPRINT_BUILDS_PER_ACCOUNT", "1")]).await else { return };
    let repository = page(&ground.git, "first");
    ground.connect(&repository, json!({ "build_command": ground.git.gate() })).await;
    let first = ground.push(&repository, "main", "first").await;
    ground.git.comes_to_gate(1).await;
    let second = ground.push(&repository, "main", "second").await;
    let other = ground.push(&repository, "other", "of another branch").await;
    repository.write("index.html", "third");
    let third = ground.push(&repository, "main", "third").await;
    let skipped = ground.ended(&second).await;
    assert_eq!(
        (&skipped["is_skipped"], &skipped["skip_reason"]),
        (&json!(true), &json!("superseded_queued_build"))
    );

    ground.git.open_gate();
    for id in [&first, &third, &other] {
        ground.live(id).await;
    }
    ground.server.shows(HOST, "third").await;
    let (third, other) = (ground.deployment(&third).await, ground.deployment(&other).await);
    let begun =
        |deployment: &serde_json::Value| deployment["stages"][1]["started_on"].as_str().unwrap().to_owned();
    assert!(begun(&third) < begun(&other), "production goes first: {third} {other}");
}
