//! The server with its metadata in PostgreSQL. What the store promises is tested there, on both engines; this is the way
//! from the flag to the database and back.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cli::Shell;
use crate::support::{Cluster, Release, TestServer, Wrangler};

/// A server on a database of its own; leaves the test where PostgreSQL is not installed.
async fn server_on_postgres() -> Option<(Arc<Cluster>, String, TestServer)> {
    let cluster = Cluster::shared()?;
    let url = cluster.database();
    let server = TestServer::start_with(&[("OFFPRINT_DATABASE", &url)]).await;
    Some((cluster, url, server))
}

fn numbers(page: &Value) -> Vec<i64> {
    page["data"].as_array().unwrap().iter().map(|row| row["sequenceNumber"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn what_wrangler_and_the_deploys_api_made_outlives_a_crash() {
    let Some((cluster, url, server)) = server_on_postgres().await else { return };
    let Some(wrangler) = Wrangler::new(Release::Pinned, &server).await else { return };
    server.api().create_project("demo").await;
    wrangler.directory.write("site/index.html", "<h1>one</h1>");
    let deploy = ["pages", "deploy", "site", "--project-name", "demo"];
    let first = wrangler.run(&deploy).await;
    assert_eq!(first.uploaded(), 1);
    wrangler.run(&[&deploy[..], &["--branch", "preview"]].concat()).await;
    assert_eq!(server.page("demo.pages.localhost", "/").await, "<h1>one</h1>");

    let api = server.deploys().await;
    let (app, version) = api.app("Story", &[("index.html", "told")]).await;
    let build = api.build(&version).await;
    for _ in 0..5 {
        api.deploy(&build).await;
    }
    server.shows("story.pages.localhost", "told").await;
    lists_are_paged_and_filtered(&server, &app).await;

    // What a crash leaves is all there, and life goes on.
    let server = server.crash_and_restart();
    server.shows("story.pages.localhost", "told").await;
    assert_eq!(server.page("preview.demo.pages.localhost", "/").await, "<h1>one</h1>");
    lists_are_paged_and_filtered(&server, &app).await;
    let again = server.deploys().await.deploy(&build).await;
    assert_eq!(again["sequenceNumber"], 6);

    // The operator's commands know the database; without it they make no other store.
    let shell = Shell::new().with("OFFPRINT_DATA", server.data().to_str().unwrap());
    shell.fails(&["gc"]).await.says("the metadata of this directory is in PostgreSQL");
    shell
        .run(&["gc", "--database", &url, "--blob-grace", "0", "--verify"])
        .await
        .says("Every deployment is whole.");
    assert!(!server.data().join("offprint.db").exists());
    drop(cluster);
}

async fn lists_are_paged_and_filtered(server: &TestServer, app: &str) {
    let api = server.deploys().await;
    let first = api.get(&format!("/deploys?entity_id={app}&limit=2")).await.ok();
    assert_eq!((numbers(&first), &first["pageInfo"]["total"]), (vec![5, 4], &json!(5)));
    let end = first["pageInfo"]["endCursor"].as_str().unwrap();
    let second = api.get(&format!("/deploys?entity_id={app}&limit=2&after={end}")).await.ok();
    assert_eq!(numbers(&second), [3, 2]);
    let start = second["pageInfo"]["startCursor"].as_str().unwrap();
    let back = api.get(&format!("/deploys?entity_id={app}&limit=2&before={start}")).await.ok();
    assert_eq!(numbers(&back), [5, 4]);
    let filter = json!({ "app": { "handle": "story" }, "steps": { "some": { "name": "seal" } }, "sequenceNumber": { "gt": 3 } });
    let url = reqwest::Url::parse_with_params(
        "http://host/deploys",
        [("filter", filter.to_string()), ("status", "completed".into())],
    );
    let found = api.get(&format!("/deploys?{}", url.unwrap().query().unwrap())).await.ok();
    assert_eq!(numbers(&found), [5, 4]);
}

#[tokio::test]
async fn a_password_is_neither_shown_nor_logged() {
    let shell = Shell::new().with("OFFPRINT_DATABASE", "postgres://me:hunter2@127.0.0.1:1/sites");
    let said = shell.run(&["config", "check"]).await;
    said.says("postgres://me@127.0.0.1:1/sites");
    let refused = shell.fails(&["serve", "--listen", "127.0.0.1:0"]).await;
    refused.says("cannot connect to postgres://me@127.0.0.1:1/sites");
    let help = shell.run(&["serve", "--help"]).await;
    for said in [said, refused, help] {
        assert!(!said.out.contains("hunter2") && !said.err.contains("hunter2"));
    }
    for wrong in ["me:hunter2@host/db", "postgres://me:hunter2@host/db?sslmod=require"] {
        let said = shell.fails(&["config", "check", "--database", wrong]).await;
        said.says("database: ");
        assert!(!said.err.contains("hunter2"), "{}", said.err);
    }
}
