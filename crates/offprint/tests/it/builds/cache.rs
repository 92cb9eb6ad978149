//! The build cache: kept between the builds of a project, gone when it was purged or switched off.

use reqwest::Method;
use serde_json::{Value, json};

use super::{DEMO, Ground, page};
use crate::support::project;

/// Says whether npm's cache holds what an earlier build put there.
const COMMAND: &str = "
    if [ -e \"$npm_config_cache/seen\" ]; then echo the cache is warm; else echo the cache is cold; fi
    test -z \"$npm_config_cache\" || touch \"$npm_config_cache/seen\"";

async fn says(ground: &Ground, repository: &crate::support::Repository, branch: &str) -> bool {
    let id = ground.push(repository, branch, "again").await;
    ground.live(&id).await;
    let log = ground.log(&id).await;
    assert!(log.contains("the cache is"), "{log}");
    log.lines().any(|line| line == "the cache is warm")
}

async fn ground_with(build: Value) -> Option<(Ground, crate::support::Repository)> {
    let ground = Ground::start().await?;
    let repository = page(&ground.git, "page");
    // What is cached depends on what the repository is built with.
    repository.write("package.json", "{\"private\":true}");
    ground.connect(&repository, build).await;
    Some((ground, repository))
}

#[tokio::test]
async fn a_second_build_finds_what_the_first_has_cached_until_it_is_purged() {
    let build = json!({ "build_command": COMMAND, "destination_dir": ".", "build_caching": true });
    let Some((ground, repository)) = ground_with(build).await else { return };
    assert!(!says(&ground, &repository, "main").await);
    assert!(says(&ground, &repository, "main").await);
    assert!(says(&ground, &repository, "preview").await, "branches share the cache of their project");
    ground.api.call(Method::POST, &project(DEMO, "/purge_build_cache")).send().await.ok();
    assert!(!says(&ground, &repository, "main").await);
    assert!(says(&ground, &repository, "main").await);
}

#[tokio::test]
async fn a_project_without_caching_starts_cold_each_time() {
    let build = json!({ "build_command": COMMAND, "destination_dir": ".", "build_caching": false });
    let Some((ground, repository)) = ground_with(build).await else { return };
    assert!(!says(&ground, &repository, "main").await);
    assert!(!says(&ground, &repository, "main").await);
}
