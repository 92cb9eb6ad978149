//! Cancel, retry, and the three other ways to begin a build.

use reqwest::Method;
use serde_json::json;

use super::{DEMO, Ground, HOST, no_process_with, page, processes_with, stages};
use crate::cli::Shell;
use crate::support::{Form, host_of, project};

#[tokio::test]
async fn a_canceled_build_dies_and_nothing_of_it_goes_live() {
    let Some(ground) = Ground::start().await else { return };
    let repository = page(&ground.git, "page");
    let command = format!("(sleep 8641.5 &) ; {}", ground.git.gate());
    ground.connect(&repository, json!({ "build_command": command })).await;
    let id = ground.push(&repository, "main", "canceled").await;
    ground.git.comes_to_gate(1).await;
    assert!(!processes_with("sleep 8641.5").is_empty(), "the build runs");

    let shell = Shell::at(&ground.server);
    let mut follower = shell.start(&["deployment", "logs", &id, "--follow", "--project", DEMO]);
    follower.line_with("Cloning").await;
    shell.run(&["deployment", "cancel", &id[..8], "--project", DEMO]).await.says("Canceled");
    assert_eq!(follower.ended().await, 1, "{}{}", follower.out(), follower.err());
    assert!(follower.err().contains("canceled"), "{}", follower.err());
    let canceled = ground.deployment(&id).await;
    assert_eq!(stages(&canceled)["build"], "canceled", "{canceled}");
    no_process_with("sleep 8641.5").await;
    assert_eq!(ground.server.site(HOST, "/").await.status(), 404);
    assert_eq!(ground.server.site(host_of(canceled["url"].as_str().unwrap()), "/").await.status(), 404);

    shell.fails(&["deployment", "cancel", &id, "--project", DEMO]).await;
    // The worker is free again.
    ground.git.open_gate();
    let next = ground.push(&repository, "main", "goes on").await;
    ground.live(&next).await;
    ground.server.shows(HOST, "page").await;
    no_process_with("sleep 8641.5").await;
}

#[tokio::test]
async fn a_build_is_canceled_while_it_waits() {
    let Some(ground) = Ground::start_with(&[("OFFPRINT_BUILDS_PER_ACCOUNT", "1")]).await else { return };
    let repository = page(&ground.git, "page");
    ground.connect(&repository, json!({ "build_command": ground.git.gate() })).await;
    let first = ground.push(&repository, "main", "first").await;
    ground.git.comes_to_gate(1).await;
    let second = ground.push(&repository, "other", "second").await;
    let path = project(DEMO, &format!("/deployments/{second}/cancel"));
    let canceled = ground.api.call(Method::POST, &path).ok().await;
    assert_eq!(stages(&canceled)["queued"], "canceled", "{canceled}");
    ground.git.open_gate();
    ground.live(&first).await;
    let end = ground.ended(&second).await;
    assert_eq!(stages(&end)["clone_repo"], "idle", "{end}");
}

#[tokio::test]
async fn a_retry_builds_the_same_commit_with_the_same_settings() {
    let Some(ground) = Ground::start().await else { return };
    let repository = page(&ground.git, "old");
    let command = "echo made by the old command";
    ground.connect(&repository, json!({ "build_command": command })).await;
    let first = ground.push(&repository, "main", "first").await;
    ground.live(&first).await;
    let commit = repository.head();
    let change = json!({ "build_config": { "build_command": "echo made by the new command" } });
    ground.api.patch(&project(DEMO, "")).json(&change).ok().await;
    repository.write("index.html", "new");
    let second = ground.push(&repository, "main", "second").await;
    ground.live(&second).await;
    ground.server.shows(HOST, "new").await;

    let path = project(DEMO, &format!("/deployments/{first}/retry"));
    let again = ground.api.call(Method::POST, &path).ok().await;
    let id = again["id"].as_str().unwrap();
    assert_ne!(id, first);
    let live = ground.live(id).await;
    assert_eq!(live["deployment_trigger"]["metadata"]["commit_hash"], commit);
    assert!(ground.log(id).await.contains("made by the old command"));
    assert_eq!(ground.server.page(host_of(live["url"].as_str().unwrap()), "/").await, "old");
}

#[tokio::test]
async fn the_api_builds_the_head_of_production_or_of_a_branch() {
    let Some(ground) = Ground::start().await else { return };
    let repository = page(&ground.git, "production");
    let main = repository.commit("on main");
    repository.branch("feature").write("index.html", "feature");
    let feature = repository.commit("on feature");
    ground.connect(&repository, json!({})).await;

    let made = ground.api.call(Method::POST, &project(DEMO, "/deployments")).ok().await;
    let live = ground.live(made["id"].as_str().unwrap()).await;
    let metadata = &live["deployment_trigger"]["metadata"];
    assert_eq!((&live["environment"], &metadata["commit_hash"]), (&json!("production"), &json!(main)));
    assert_eq!(metadata["commit_message"], "on main");

    let form = Form::default().text("branch", "feature");
    let made = ground.api.post(&project(DEMO, "/deployments")).form(form).ok().await;
    let live = ground.live(made["id"].as_str().unwrap()).await;
    let metadata = &live["deployment_trigger"]["metadata"];
    assert_eq!((&live["environment"], &metadata["commit_hash"]), (&json!("preview"), &json!(feature)));
    ground.server.shows("feature.demo.pages.localhost", "feature").await;

    let form = Form::default().text("branch", "nowhere");
    let made = ground.api.post(&project(DEMO, "/deployments")).form(form).ok().await;
    let log = ground.failed(made["id"].as_str().unwrap(), "clone_repo").await;
    assert!(log.contains("nowhere"), "{log}");
}
