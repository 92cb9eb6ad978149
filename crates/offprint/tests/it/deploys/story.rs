//! The whole story: an app from nothing to production, a second deploy, a rollback, a cancel.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{TOKEN, TestServer, id, skip};

fn steps(of: &Value) -> Vec<(&str, &str)> {
    let steps = of["steps"].as_array().unwrap();
    steps.iter().map(|step| (step["name"].as_str().unwrap(), step["status"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn an_app_is_made_built_deployed_and_rolled_back() {
    let server = TestServer::start().await;
    let api = server.deploys().await;
    let (app, version) = api.app("Story", &[("index.html", "one"), ("_headers", "/*\n  X-A: 1\n")]).await;
    let fresh = api.get(&format!("/apps/{app}")).await.ok();
    assert_eq!((&fresh["handle"], &fresh["status"]), (&json!("story"), &json!("draft")));
    assert_eq!(fresh["defaultVersionId"], Value::Null);

    let first_build = api.build(&version).await;
    let built = api.get(&format!("/builds/{first_build}")).await.ok();
    let expected = [("collect", "completed"), ("build", "skipped"), ("store", "completed")];
    assert_eq!(steps(&built), expected);
    let first = api.deploy(&first_build).await;
    let expected = ["resolve_build", "seal", "upload", "activate", "verify"];
    assert_eq!(steps(&first).iter().map(|(name, _)| *name).collect::<Vec<_>>(), expected);
    assert!(
        steps(&first)
            .iter()
            .all(|(name, status)| *status == if *name == "upload" { "skipped" } else { "completed" })
    );
    for step in first["steps"].as_array().unwrap().iter().filter(|step| step["status"] == "completed") {
        assert!(step["startedAt"].is_string() && step["completedAt"].is_string(), "{step}");
    }
    assert!(first["steps"][1]["log"].as_str().unwrap().contains("Parsed 1 valid header rule"));
    assert!(first["steps"][4]["log"].as_str().unwrap().contains("status 200"));
    assert_eq!((&first["trigger"], &first["sequenceNumber"]), (&json!("manual"), &json!(1)));
    assert_eq!(server.page("story.pages.localhost", "/").await, "one");
    let live = api.get(&format!("/apps/{app}")).await.ok();
    assert_eq!((&live["status"], &live["defaultVersionId"]), (&json!("live"), &json!(version)));

    let fork = json!({ "appId": app, "name": "second", "parentId": version });
    let second = id(&api.post("/app-versions", fork).await.made());
    let file = json!({ "path": "index.html", "content": "two" });
    api.patch(&format!("/app-versions/{second}/files"), file).await.ok();
    let second_build = api.build(&second).await;
    let second_deploy = api.deploy(&second_build).await;
    assert_eq!(server.page("story.pages.localhost", "/").await, "two");

    let back = api.deploy(&first_build).await;
    assert_eq!((&back["trigger"], &back["sequenceNumber"]), (&json!("rollback"), &json!(3)));
    assert_eq!(server.page("story.pages.localhost", "/").await, "one");
    // What was deployed before answers at its own address for ever.
    let preview = server.site_at(second_deploy["previewUrl"].as_str().unwrap(), "/").await;
    assert_eq!(preview.text().await.unwrap(), "two");
    assert_eq!(
        second_deploy["productionUrl"].as_str().unwrap().split("://").nth(1).unwrap().split(':').next(),
        Some("story.pages.localhost")
    );
    let over = api.post(&format!("/deploys/{}/cancel", id(&back)), json!({})).await;
    over.refused(409);

    api.delete(&format!("/apps/{app}")).await.ok();
    server.answers("story.pages.localhost", 404).await;
    assert_eq!(api.get("/apps").await.ok()["pageInfo"]["total"], 0);
    assert_eq!(api.get("/apps?include_deleted=only").await.ok()["pageInfo"]["total"], 1);
    api.post("/deploys", json!({ "buildId": first_build })).await.refused(422);
    api.post(&format!("/apps/{app}/restore"), json!({})).await.ok();
    server.shows("story.pages.localhost", "one").await;
}

#[tokio::test]
async fn files_of_versions_are_read_written_and_listed() {
    let server = TestServer::start().await;
    let api = server.deploys().await;
    let (_, version) = api.app("Files", &[("index.html", "root"), ("css/site.css", "a{}")]).await;
    let files = format!("/app-versions/{version}/files");
    let list = api.get(&files).await.ok();
    let names: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["path"].clone(), entry["isDirectory"].clone()))
        .collect();
    assert_eq!(names, [(json!("css"), json!(true)), (json!("index.html"), json!(false))]);
    assert_eq!(api.get(&format!("{files}?path=css")).await.ok()["data"][0]["size"], 3);
    assert_eq!(api.get(&format!("{files}?path=css/site.css")).await.ok()["content"], "a{}");
    let bytes = json!({ "path": "x.bin", "contentBase64": "AP8=" });
    api.post(&files, bytes).await.made();
    let read = api.get(&format!("{files}?path=/x.bin")).await.ok();
    assert_eq!((&read["content"], &read["contentBase64"]), (&Value::Null, &json!("AP8=")));
    api.post(&files, json!({ "path": "index.html", "content": "x" })).await.refused(409);
    api.patch(&files, json!({ "path": "new.html", "content": "x" })).await.refused(404);
    assert_eq!(api.post(&files, json!({ "path": "../x", "content": "x" })).await.refused(400), "path");
    assert_eq!(api.post(&files, json!({ "path": "y" })).await.refused(422), "content");
    api.delete(&format!("{files}?path=x.bin")).await.ok();
    api.get(&format!("{files}?path=x.bin")).await.refused(404);
    api.get(&format!("{files}?path=nowhere")).await.refused(404);
    assert_eq!(api.delete(&files).await.refused(400), "path");
}

#[tokio::test]
async fn an_app_keeps_its_settings_and_hides_its_site() {
    let server = TestServer::start().await;
    let api = server.deploys().await;
    let (app, version) = api.app("Settings", &[("index.html", "here")]).await;
    api.deploy(&api.build(&version).await).await;
    let path = format!("/apps/{app}");
    let change = json!({
        "name": "New name", "description": "words", "retentionTier": "short",
        "config": { "nodeVersion": "22", "env": { "A": "1" } },
    });
    let changed = api.patch(&path, change).await.ok();
    assert_eq!(
        (&changed["config"]["nodeVersion"], &changed["config"]["env"]),
        (&json!("22"), &json!({ "A": "1" }))
    );
    assert_eq!((&changed["name"], &changed["handle"]), (&json!("New name"), &json!("settings")));
    let cleared = json!({ "description": null, "retentionTier": null, "config": { "nodeVersion": null } });
    let cleared = api.patch(&path, cleared).await.ok();
    assert_eq!(
        (&cleared["config"]["nodeVersion"], &cleared["config"]["env"]),
        (&Value::Null, &json!({ "A": "1" }))
    );
    assert_eq!((&cleared["description"], &cleared["retentionTier"]), (&Value::Null, &Value::Null));
    server.shows("settings.pages.localhost", "here").await;
    api.patch(&path, json!({ "publicAccess": false })).await.ok();
    server.answers("settings.pages.localhost", 404).await;
    api.patch(&path, json!({ "publicAccess": true })).await.ok();
    server.shows("settings.pages.localhost", "here").await;

    let pages =
        json!({ "type": "pages", "baseUrl": "https://x.example/v4", "accountId": "a", "projectName": "p" });
    assert_eq!(api.patch(&path, json!({ "target": pages })).await.refused(422), "target.apiToken");
    let mut with_token = pages.clone();
    with_token["apiToken"] = json!("hush-hush");
    assert_eq!(api.patch(&path, json!({ "target": with_token })).await.ok()["target"], pages);
    api.patch(&path, json!({ "target": pages })).await.ok();
    let mut elsewhere = pages.clone();
    elsewhere["baseUrl"] = json!("https://evil.example/v4");
    assert_eq!(api.patch(&path, json!({ "target": elsewhere })).await.refused(422), "target.apiToken");
    assert!(!server.log().contains("hush-hush"));
}

/// The lines of the documentation, all of them, in a shell.
#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_the_documentation_run() {
    for tool in ["curl", "python3"] {
        if Command::new(tool).arg("--version").output().is_err() {
            return skip(&format!("{tool} is missing"));
        }
    }
    let server = TestServer::start().await;
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/DEPLOYS-API.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = page.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    let script: String = ["set -eu\n"].into_iter().chain(blocks).collect();
    let mut shell = Command::new("timeout");
    shell.args(["60", "bash", "-o", "pipefail", "-c", &script]);
    shell.env("OFFPRINT", server.origin()).env("TOKEN", TOKEN);
    let run = tokio::task::spawn_blocking(move || shell.output()).await.unwrap().unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
    assert_eq!(server.page("hello.pages.localhost", "/").await, "<h1>Hello</h1>");
}
