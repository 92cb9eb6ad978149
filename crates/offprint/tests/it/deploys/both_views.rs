//! What is made through one API is seen through the other.

use serde_json::json;

use crate::support::{Site, TestServer, project};

#[tokio::test]
async fn a_deployment_is_a_deploy_and_a_deploy_is_a_deployment() {
    let server = TestServer::start().await;
    let (pages, api) = (server.api(), server.deploys().await);
    pages.create_project("demo").await;
    let first = Site::page("one").deploy(&pages, "demo").await;
    let second = Site::page("two").deploy(&pages, "demo").await;
    let preview = Site::page("preview").branch("feature").deploy(&pages, "demo").await;
    let listed = api.get("/deploys?orderBy=[{%22sequenceNumber%22:%22asc%22}]").await.ok();
    let deploys = listed["data"].as_array().unwrap();
    for (deploy, deployment) in deploys.iter().zip([&first, &second, &preview]) {
        assert_eq!(deploy["previewUrl"], deployment["url"]);
        assert_eq!(deploy["metadata"]["deploymentId"], deployment["id"]);
    }
    assert!(deploys[2]["productionUrl"].is_null() && deploys[0]["productionUrl"].is_string());
    let app = api.get("/apps?handle=demo").await.ok()["data"][0].clone();
    assert_eq!((&app["id"], &app["createdBy"]), (&deploys[0]["entityId"], &deploys[0]["createdBy"]));

    let made = api.deploy(deploys[0]["buildId"].as_str().unwrap()).await;
    assert_eq!(made["trigger"], "rollback");
    assert_eq!(server.page("demo.pages.localhost", "/").await, "one");
    let id = made["metadata"]["deploymentId"].as_str().unwrap();
    let seen = pages.get(&project("demo", &format!("/deployments/{id}"))).ok().await;
    assert_eq!((&seen["url"], &seen["latest_stage"]["status"]), (&made["previewUrl"], &json!("success")));
    let latest = pages.get(&project("demo", "")).ok().await;
    assert_eq!(latest["canonical_deployment"]["id"], seen["id"]);

    let id = second["id"].as_str().unwrap();
    pages.post(&project("demo", &format!("/deployments/{id}/rollback"))).ok().await;
    let newest = api.get("/deploys?limit=1").await.ok()["data"][0].clone();
    assert_eq!((&newest["trigger"], &newest["status"]), (&json!("rollback"), &json!("completed")));
    assert_eq!(newest["buildId"], deploys[1]["buildId"]);

    // Every change has left its trace, with the door it came through.
    let events = api
        .get("/events?type=deploy.created&orderBy=[{%22createdAt%22:%22asc%22},{%22id%22:%22asc%22}]")
        .await
        .ok();
    let doors: Vec<_> =
        events["data"].as_array().unwrap().iter().map(|event| event["data"]["via"].clone()).collect();
    assert_eq!(doors, ["pages", "pages", "pages", "deploys", "pages"].map(|via| json!(via)));
    assert!(events["data"].as_array().unwrap().iter().all(|event| event["data"]["address"] == "127.0.0.1"));
    assert!(events["data"].as_array().unwrap().iter().all(|event| event["userId"] == app["createdBy"]));
}

#[tokio::test]
async fn a_build_of_a_preview_can_go_to_production() {
    let server = TestServer::start().await;
    let (pages, api) = (server.api(), server.deploys().await);
    pages.create_project("demo").await;
    Site::page("tried").branch("try").deploy(&pages, "demo").await;
    let build = api.get("/builds").await.ok()["data"][0]["id"].as_str().unwrap().to_owned();
    let deploy = api.deploy(&build).await;
    assert_eq!(deploy["trigger"], "manual");
    assert_eq!(server.page("demo.pages.localhost", "/").await, "tried");
}
