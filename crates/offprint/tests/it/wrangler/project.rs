//! `wrangler pages project …`

use crate::support::{Release, TestServer, projects};

async fn a_project_is_created_listed_and_deleted(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);

    let created = wrangler.run(&["pages", "project", "create", "demo", "--production-branch", "main"]).await;
    created.says("Successfully created the 'demo' project").says("demo.pages.localhost");
    let call = created.calls.iter().find(|call| call.method == "POST").unwrap();
    assert!(call.content_type.starts_with("text/plain"), "{}", call.content_type);

    wrangler.run(&["pages", "project", "list"]).await.says("demo").says("demo.pages.localhost");

    wrangler.run(&["pages", "project", "delete", "demo", "-y"]).await.says("Successfully deleted");
    assert_eq!(server.api().get(&projects()).ok().await, serde_json::json!([]));
}

async fn the_settings_of_a_new_project_are_kept(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    let options = ["--production-branch", "live", "--compatibility-date", "2026-01-15"];
    let flags = ["--compatibility-flags", "nodejs_compat"];
    let command = [&["pages", "project", "create", "demo"][..], &options, &flags].concat();
    wrangler.run(&command).await;
    let list = server.api().get(&projects()).ok().await;
    assert_eq!(list[0]["production_branch"], "live");
    for environment in ["production", "preview"] {
        let config = &list[0]["deployment_configs"][environment];
        assert_eq!(config["compatibility_date"], "2026-01-15");
        assert_eq!(config["compatibility_flags"], serde_json::json!(["nodejs_compat"]));
    }
}

async fn a_list_of_several_pages_shows_each_project_once(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    let api = server.api();
    for n in 10..33 {
        api.create_project(&format!("demo{n}")).await;
    }
    let ran = wrangler.run(&["pages", "project", "list"]).await;
    for n in 10..33 {
        // Once as the name and once as the domain.
        assert_eq!(ran.stdout.matches(&format!("demo{n}")).count(), 2, "{}", ran.stdout);
    }
    let pages = ran.calls.iter().filter(|call| call.path.contains("/pages/projects?")).count();
    assert_eq!(pages, 3);
}

async fn a_taken_name_is_refused(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    server.api().create_project("demo").await;
    let ran = wrangler.try_run(&["pages", "project", "create", "demo", "--production-branch", "main"]).await;
    assert!(!ran.success);
    ran.says("[code: 8000002]");
}

async fn an_unknown_project_cannot_be_deleted(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    let ran = wrangler.try_run(&["pages", "project", "delete", "nothing", "-y"]).await;
    assert!(!ran.success);
    ran.says("[code: 8000007]");
}

each_release! {
    a_project_is_created_listed_and_deleted
    the_settings_of_a_new_project_are_kept
    a_list_of_several_pages_shows_each_project_once
    a_taken_name_is_refused
    an_unknown_project_cannot_be_deleted
}
