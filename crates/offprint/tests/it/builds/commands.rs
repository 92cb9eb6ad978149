//! The commands around builds, as people type them.

use serde_json::json;

use super::{DEMO, Ground, HOST, page};
use crate::cli::Shell;
use crate::support::project;

#[tokio::test]
async fn a_project_is_connected_built_and_triggered_from_the_shell() {
    let Some(ground) = Ground::start().await else { return };
    let repository = page(&ground.git, "from the shell");
    repository.commit("first");
    let shell = Shell::at(&ground.server);
    let create =
        ["project", "create", DEMO, "--repository", &repository.url, "--build-command", "echo built"];
    shell.run(&create).await.says("offprint project source show");
    let made = ground.api.get(&project(DEMO, "")).ok().await;
    assert_eq!(
        (&made["source"]["type"], &made["build_config"]["build_command"]),
        (&json!("git"), &json!("echo built"))
    );

    let built = shell.run(&["deployment", "build", "--follow"]).await;
    built.says("built").says("build: success");
    assert!(built.last_line().starts_with("http://"), "{}", built.out);
    ground.server.shows(HOST, "from the shell").await;

    let hook = shell.run(&["project", "hook", "create", "nightly", "--branch", "main"]).await;
    let address = hook.last_line().to_owned();
    let path = address.split_once("/client/v4").expect("an address of the API").1;
    let called = ground.server.anon().post(path).ok().await;
    let live = ground.live(called["id"].as_str().unwrap()).await;
    assert_eq!(live["deployment_trigger"]["type"], "deploy_hook");
    shell.fails(&["project", "hook", "create", "again", "--branch", "main"]).await;
    let listed = shell.run(&["project", "hook", "list"]).await;
    listed.says("nightly").says(&address);
    let json = shell.run(&["project", "hook", "list", "--json"]).await.json();
    let id = json[0]["id"].as_str().unwrap().to_owned();
    shell.fails(&["project", "hook", "delete", &id]).await.says("--yes");
    shell.run(&["project", "hook", "delete", &id, "--yes"]).await;
    assert_eq!(ground.server.anon().post(path).send().await.status, 404);
}

#[tokio::test]
async fn credentials_are_set_from_files_and_never_shown() {
    let Some(ground) = Ground::start().await else { return };
    let repository = page(&ground.git, "page");
    ground.connect(&repository, json!({})).await;
    let shell = Shell::at(&ground.server);
    shell.home.write("token", "a-token-of-the-forge\n");
    let shown = shell.run(&["project", "source", "show"]).await;
    shown.says("/client/v4/pages/webhooks/git/").says("token_set").says(&repository.url);
    let set = shell.run(&["project", "source", "set", "--token-file", "token"]).await;
    let json = shell.run(&["project", "source", "show", "--json"]).await.json();
    assert_eq!((&json["token_set"], &json["ssh_key_set"]), (&json!(true), &json!(false)));
    assert!(!format!("{}{}", set.out, set.err).contains("a-token-of-the-forge"));
    shell.fails(&["project", "source", "set"]).await.says("--token-file");
    shell.fails(&["project", "source", "set", "--token-file", "nowhere"]).await.says("nowhere");
    shell.fails(&["project", "source", "renew-secret"]).await.says("--yes");
    let one = shell.run(&["project", "source", "renew-secret", "--yes"]).await.last_line().to_owned();
    let two = shell.run(&["project", "source", "renew-secret", "--yes"]).await.last_line().to_owned();
    assert!(one.len() >= 32 && one != two, "{one} {two}");
}

#[tokio::test]
async fn a_failed_build_makes_the_follower_fail() {
    let Some(ground) = Ground::start().await else { return };
    let repository = page(&ground.git, "page");
    repository.commit("first");
    ground.connect(&repository, json!({ "build_command": "printf '\\033[31mred\\033[0m\\n'; exit 3" })).await;
    let shell = Shell::at(&ground.server);
    let said = shell.fails(&["deployment", "build", "--follow"]).await;
    said.says("red").says("the deployment did not go live: build failure");
    assert!(!said.out.contains('\u{1b}'), "colours are not passed on: {:?}", said.out);
    let listed = shell.run(&["deployment", "list", "--json"]).await.json();
    let id = listed[0]["id"].as_str().unwrap();
    shell.fails(&["deployment", "logs", id, "--follow"]).await.says("red");
    assert_eq!(shell.run(&["deployment", "logs", id]).await.out, said.out);
}
