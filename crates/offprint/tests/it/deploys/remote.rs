//! Deploys to another server of the Pages API: two of ours, one as the target of the other.

use serde_json::{Value, json};

use crate::support::{ACCOUNT, TOKEN, TestServer, id, project};

/// A server that may call servers of this machine.
async fn sender(target: &TestServer) -> TestServer {
    let allowed = target.address().to_string();
    TestServer::start_with(&[("OFFPRINT_BUILD_ALLOW", &allowed)]).await
}

fn target(server: &TestServer, name: &str) -> Value {
    json!({ "type": "pages", "baseUrl": server.base_url(), "accountId": ACCOUNT, "projectName": name, "apiToken": TOKEN })
}

#[tokio::test]
async fn an_app_ships_to_another_server_and_sends_nothing_twice() {
    let there = TestServer::start().await;
    there.api().create_project("shipped").await;
    let here = sender(&there).await;
    let api = here.deploys().await;
    let files = [("index.html", "one"), ("a.css", "a{}"), ("_headers", "/*\n  X-Shipped: yes\n")];
    let (app, version) = api.app("Ships", &files).await;
    api.patch(&format!("/apps/{app}"), json!({ "target": target(&there, "shipped") })).await.ok();
    let build = api.build(&version).await;
    let deploy = api.deploy(&build).await;
    let steps: Vec<_> = deploy["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["name"].clone(), step["status"].clone()))
        .collect();
    let expected = ["check_missing", "upload", "create_deployment", "poll", "verify"];
    assert_eq!(steps, expected.map(|name| (json!(name), json!("completed"))));
    assert!(deploy["steps"][0]["log"].as_str().unwrap().contains("lacks 2 of 2"));
    let answer = there.site("shipped.pages.localhost", "/").await;
    assert_eq!(answer.headers()["x-shipped"], "yes");
    assert_eq!(answer.text().await.unwrap(), "one");
    let made = deploy["steps"][2]["metadata"]["deploymentId"].as_str().unwrap();
    let seen = there.api().get(&project("shipped", &format!("/deployments/{made}"))).ok().await;
    assert_eq!(seen["url"], deploy["previewUrl"], "{deploy}");
    assert_eq!(deploy["productionUrl"], format!("http://shipped.pages.localhost:{}", there.address().port()));

    let again = api.deploy(&build).await;
    assert!(again["steps"][0]["log"].as_str().unwrap().contains("lacks 0 of 2"));
    assert!(
        !here.log().contains(TOKEN)
            && !api.get(&format!("/apps/{app}")).await.ok().to_string().contains(TOKEN)
    );
}

#[tokio::test]
async fn a_target_that_refuses_fails_the_deploy_and_production_stays() {
    let there = TestServer::start().await;
    let here = sender(&there).await;
    let api = here.deploys().await;
    let (app, version) = api.app("Fails", &[("index.html", "kept")]).await;
    let build = api.build(&version).await;
    api.deploy(&build).await;
    api.patch(&format!("/app-versions/{version}/files"), json!({ "path": "index.html", "content": "lost" }))
        .await
        .ok();
    let next = api.build(&version).await;
    let elsewhere = json!({ "type": "pages", "baseUrl": "http://169.254.169.254/v4", "accountId": "a", "projectName": "b", "apiToken": "c" });
    for (target, why) in [(target(&there, "unknown"), "project"), (elsewhere, "may not call")] {
        api.patch(&format!("/apps/{app}"), json!({ "target": target })).await.ok();
        let deploy = id(&api.post("/deploys", json!({ "buildId": next })).await.made());
        let ended = api.ended(&format!("/deploys/{deploy}")).await;
        assert_eq!(ended["status"], "failed");
        assert!(ended["error"].as_str().unwrap().to_lowercase().contains(why), "{ended}");
        assert_eq!(
            (&ended["steps"][0]["status"], &ended["steps"][0]["error"]),
            (&json!("failed"), &ended["error"])
        );
        assert_eq!(here.page("fails.pages.localhost", "/").await, "kept");
    }
    api.patch(&format!("/apps/{app}"), json!({ "target": { "type": "local" } })).await.ok();
    api.deploy(&next).await;
    here.shows("fails.pages.localhost", "lost").await;
}
