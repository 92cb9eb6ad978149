//! `offprint project` and `offprint completions`.

use super::Shell;
use crate::support::{Site, TestServer};

#[tokio::test]
async fn projects_are_made_listed_and_deleted() {
    let server = TestServer::start().await;
    let shell = Shell::at(&server);
    shell.run(&["project", "list"]).await.says("No projects yet");
    assert_eq!(shell.run(&["project", "list", "--json"]).await.out.trim(), "[]");

    let made = shell.run(&["project", "create", "demo", "--production-branch", "trunk"]).await;
    assert!(made.last_line().contains("demo.pages.localhost"), "{}", made.out);
    let json = shell.run(&["project", "create", "other", "--json"]).await.json();
    assert_eq!((json["name"].as_str(), json["production_branch"].as_str()), (Some("other"), Some("main")));

    let listed = shell.run(&["project", "list"]).await;
    listed.says("NAME").says("demo").says("other").says("trunk").says("never");
    let json = shell.run(&["project", "list", "--json"]).await.json();
    let mut names: Vec<_> = json.as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["demo", "other"]);

    Site::page("front").deploy(&server.api(), "demo").await;
    shell.run(&["project", "delete", "demo", "--yes"]).await.says("Deleted demo.");
    server.answers(super::HOST, 404).await;
    let json = shell.run(&["project", "list", "--json"]).await.json();
    assert_eq!(json.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_is_deleted_while_nobody_is_there_to_confirm_it() {
    let server = TestServer::start().await;
    let shell = Shell::at(&server);
    shell.run(&["project", "create", "demo"]).await;
    shell.fails(&["project", "delete", "demo"]).await.says("--yes");
    assert_eq!(shell.run(&["project", "list", "--json"]).await.json()[0]["name"], "demo");
}

#[tokio::test]
async fn what_cannot_be_made_or_deleted_is_said_clearly() {
    let server = TestServer::start().await;
    let shell = Shell::at(&server);
    shell.run(&["project", "create", "demo"]).await;
    shell.fails(&["project", "create", "demo"]).await.says("already exists");
    for name in ["Demo", "ünïcode", "-x", "a.b", "", &"x".repeat(64)] {
        shell.fails(&["project", "create", "--", name]).await.says("cannot name a project");
    }
    shell.fails(&["project", "create", "x", "--production-branch", ""]).await.says("cannot name a branch");
    shell.fails(&["project", "delete", "nothing", "--yes"]).await.says("8000007");
    // A name that would lead to another path of the API stays a name.
    shell.fails(&["project", "delete", "demo/../demo", "--yes"]).await;
    assert_eq!(shell.run(&["project", "list", "--json"]).await.json()[0]["name"], "demo");
}

#[tokio::test]
async fn an_account_need_not_be_named_where_there_is_one() {
    let server = TestServer::start().await;
    let shell = Shell::at(&server).with("CLOUDFLARE_ACCOUNT_ID", "");
    shell.run(&["project", "create", "demo"]).await;
    assert_eq!(shell.run(&["project", "list", "--json"]).await.json()[0]["name"], "demo");
}

#[tokio::test]
async fn completions_are_scripts_that_their_shells_accept() {
    let shell = Shell::new();
    for (name, mark) in
        [("bash", "complete -F"), ("zsh", "#compdef offprint"), ("fish", "complete -c offprint")]
    {
        let script = shell.run(&["completions", name]).await;
        script.says(mark).says("rollback").says("completions");
        assert_eq!(script.err, "");
        shell.home.write("script", &script.out);
        let check = std::process::Command::new(name).arg("-n").arg(shell.path().join("script")).output();
        // Not every machine has every shell.
        if let Ok(output) = check {
            assert!(output.status.success(), "{name}: {output:?}");
        }
    }
    assert_eq!(shell.try_run(&["completions", "abacus"]).await.code, 2);
}
