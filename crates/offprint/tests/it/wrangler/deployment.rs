//! `wrangler pages deployment …`

use offprint_wire::error_code::ErrorCode;
use serde_json::Value;

use crate::support::{Release, Site, TestServer, host_of, project};

fn id(deployment: &Value) -> &str {
    deployment["id"].as_str().unwrap()
}

async fn deployments_are_listed_by_environment(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    let api = server.api();
    api.create_project("demo").await;
    let production = Site::page("live").deploy(&api, "demo").await;
    let preview = Site::page("draft").branch("feature").deploy(&api, "demo").await;

    let list = ["pages", "deployment", "list", "--project-name", "demo"];
    wrangler.run(&list).await.says(id(&production)).says(id(&preview)).says("feature");
    let only = wrangler.run(&[&list[..], &["--environment", "preview"]].concat()).await;
    only.says(id(&preview));
    assert!(!only.output.contains(id(&production)), "{}", only.output);
}

async fn an_empty_project_has_an_empty_list(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    server.api().create_project("demo").await;
    wrangler.run(&["pages", "deployment", "list", "--project-name", "demo"]).await;
}

async fn a_deployment_is_deleted_and_its_address_is_gone(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    let api = server.api();
    api.create_project("demo").await;
    let old = Site::page("old").deploy(&api, "demo").await;
    Site::page("new").deploy(&api, "demo").await;

    let delete = ["pages", "deployment", "delete", id(&old), "--project-name", "demo", "--force"];
    wrangler.run(&delete).await;
    api.get(&project("demo", &format!("/deployments/{}", id(&old))))
        .refused(ErrorCode::DeploymentNotFound)
        .await;
    server.answers(host_of(old["url"].as_str().unwrap()), 410).await;
    assert_eq!(server.page("demo.pages.localhost", "/").await, "new");
}

async fn the_live_deployment_is_not_deleted(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    let api = server.api();
    api.create_project("demo").await;
    let live = Site::page("live").deploy(&api, "demo").await;
    let delete = ["pages", "deployment", "delete", id(&live), "--project-name", "demo", "--force"];
    let ran = wrangler.try_run(&delete).await;
    assert!(!ran.success);
    ran.says("[code: 8000034]");
    assert_eq!(server.page("demo.pages.localhost", "/").await, "live");
}

each_release! {
    deployments_are_listed_by_environment
    an_empty_project_has_an_empty_list
    a_deployment_is_deleted_and_its_address_is_gone
    the_live_deployment_is_not_deleted
}
