//! `offprint deployment`.

use serde_json::Value;

use super::{HOST, Shell};
use crate::support::{Site, TestServer, host_of};

/// A server whose project `demo` has had two production deployments and a preview, oldest first.
async fn with_three() -> (TestServer, Shell, [Value; 3]) {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    let first = Site::page("first").branch("main").deploy(&api, "demo").await;
    let second = Site::page("second").branch("main").deploy(&api, "demo").await;
    let preview = Site::page("preview").branch("try-it").deploy(&api, "demo").await;
    server.shows(HOST, "second").await;
    let shell = Shell::at(&server);
    (server, shell, [first, second, preview])
}

fn text<'a>(deployment: &'a Value, key: &str) -> &'a str {
    deployment[key].as_str().unwrap()
}

#[tokio::test]
async fn deployments_are_listed_newest_first_and_by_environment() {
    let (_server, shell, three) = with_three().await;
    let listed = shell.run(&["deployment", "list", "--project", "demo"]).await;
    assert_eq!(listed.out.lines().count(), 4, "a head and three rows:\n{}", listed.out);
    let ids = |said: super::Said| -> Vec<String> {
        said.json().as_array().unwrap().iter().map(|d| text(d, "id").to_owned()).collect()
    };
    let all = ids(shell.run(&["deployment", "list", "--json"]).await);
    assert_eq!(all, [2, 1, 0].map(|n| text(&three[n], "id").to_owned()));
    let preview = ids(shell.run(&["deployment", "list", "--json", "--environment", "preview"]).await);
    assert_eq!(preview, [text(&three[2], "id")]);
    let limited = ids(shell.run(&["deployment", "list", "--json", "--limit", "2"]).await);
    assert_eq!(limited.len(), 2);
    assert_eq!(shell.try_run(&["deployment", "list", "--limit", "0"]).await.code, 2);
}

#[tokio::test]
async fn a_deployment_is_found_by_its_id_the_beginning_of_it_or_its_url() {
    let (_server, shell, [first, ..]) = with_three().await;
    let id = text(&first, "id");
    for name in [id, &id[..8], text(&first, "url")] {
        let shown = shell.run(&["deployment", "info", name]).await;
        shown.says(id).says("production").says("main").says(text(&first, "url")).says("deploy");
        assert_eq!(shell.run(&["deployment", "info", name, "--json"]).await.json()["id"], id);
    }
    for name in ["00000000", "00000000-0000-4000-8000-000000000000", "", "../..", "http://x.example"] {
        shell.fails(&["deployment", "info", "--", name]).await;
    }
}

#[tokio::test]
async fn logs_are_printed_as_lines_and_as_json() {
    let (_server, shell, [first, ..]) = with_three().await;
    let lines = shell.run(&["deployment", "logs", text(&first, "id")]).await;
    assert!(lines.out.lines().count() > 0);
    let json = shell.run(&["deployment", "logs", text(&first, "id"), "--json"]).await.json();
    assert_eq!(json["total"].as_u64().unwrap() as usize, lines.out.lines().count(), "{json}");
}

#[tokio::test]
async fn a_rollback_shows_the_earlier_deployment_at_once() {
    let (server, shell, [first, second, _]) = with_three().await;
    shell.run(&["deployment", "rollback", &text(&first, "id")[..8]]).await;
    server.shows(HOST, "first").await;
    let json = shell.run(&["deployment", "rollback", text(&second, "url"), "--json"]).await.json();
    assert_eq!(json["id"], second["id"]);
    server.shows(HOST, "second").await;
}

#[tokio::test]
async fn a_retry_makes_a_new_deployment_of_the_same_content() {
    let (server, shell, [first, ..]) = with_three().await;
    let said = shell.run(&["deployment", "retry", text(&first, "id")]).await;
    let url = said.last_line();
    assert_ne!(url, text(&first, "url"));
    assert_eq!(server.page(host_of(url), "/").await, "first");
    server.shows(HOST, "first").await;
    let json = shell.run(&["deployment", "retry", text(&first, "id"), "--json"]).await.json();
    assert_eq!(json["latest_stage"]["status"], "success", "{json}");
}

#[tokio::test]
async fn a_deleted_deployment_is_gone_and_the_live_one_stays() {
    let (server, shell, [first, second, preview]) = with_three().await;
    let delete = |id: String, flags: &'static [&'static str]| {
        [
            &["deployment".to_owned(), "delete".into(), id][..],
            &flags.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>(),
        ]
        .concat()
    };
    let run = |arguments: Vec<String>| {
        let shell = &shell;
        async move { shell.try_run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await }
    };
    let (first_id, second_id, preview_id) = (text(&first, "id"), text(&second, "id"), text(&preview, "id"));

    let unconfirmed = run(delete(first_id.into(), &[])).await;
    assert_eq!(unconfirmed.code, 1);
    unconfirmed.says("--yes");
    assert_eq!(run(delete(first_id.into(), &["--yes"])).await.code, 0);
    server.answers(host_of(text(&first, "url")), 410).await;

    let live = run(delete(second_id.into(), &["--yes", "--force"])).await;
    assert_eq!(live.code, 1, "{}", live.err);
    server.shows(HOST, "second").await;

    let aliased = run(delete(preview_id.into(), &["--yes"])).await;
    assert_eq!(aliased.code, 1, "{}", aliased.err);
    aliased.says("force");
    assert_eq!(run(delete(preview_id.into(), &["--yes", "--force"])).await.code, 0);
    server.answers("try-it.demo.pages.localhost", 404).await;
}
