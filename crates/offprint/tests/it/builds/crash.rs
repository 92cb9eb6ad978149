//! A server that is killed in the middle of a build. `scripts/build-crash-test` does it at random moments.

use serde_json::json;

use super::{Ground, HOST, no_process_with, page, processes_with};

#[tokio::test]
async fn a_build_whose_server_was_killed_is_made_by_the_next_one() {
    let Some(mut ground) = Ground::start().await else { return };
    let repository = page(&ground.git, "page");
    let command = format!("(sleep 8642.5 &) ; {}", ground.git.gate());
    ground.connect(&repository, json!({ "build_command": command })).await;
    let id = ground.push(&repository, "main", "survives").await;
    ground.git.comes_to_gate(1).await;
    assert!(!processes_with("sleep 8642.5").is_empty(), "the build runs");

    ground.server = ground.server.crash_and_restart();
    ground.api = ground.server.api();
    ground.git.comes_to_gate(2).await;
    ground.git.open_gate();
    ground.live(&id).await;
    ground.server.shows(HOST, "page").await;
    no_process_with("sleep 8642.5").await;
}

#[tokio::test]
async fn nothing_of_a_build_outlives_a_killed_server() {
    let Some(mut ground) = Ground::start().await else { return };
    let repository = page(&ground.git, "page");
    let command = format!("(setsid sleep 8643.5 &) ; {}", ground.git.gate());
    ground.connect(&repository, json!({ "build_command": command })).await;
    let id = ground.push(&repository, "main", "killed").await;
    ground.git.comes_to_gate(1).await;
    ground.server.signal("KILL");
    no_process_with("sleep 8643.5").await;
    ground.server = ground.server.crash_and_restart();
    ground.api = ground.server.api();
    ground.git.open_gate();
    ground.live(&id).await;
}
