//! `wrangler pages secret …`

use crate::support::{Release, TestServer, project};

const SECRET: &str = "a very secret value 4711";

async fn a_secret_is_put_listed_and_deleted_but_never_shown(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    let api = server.api();
    api.create_project("demo").await;
    let plain = serde_json::json!({ "deployment_configs": { "production": { "env_vars": {
        "PLAIN": { "type": "plain_text", "value": "seen" } } } } });
    api.patch(&project("demo", "")).json(&plain).ok().await;

    let put = ["pages", "secret", "put", "API_KEY", "--project-name", "demo"];
    let ran = wrangler.run_with(&put, &[], SECRET).await;
    assert!(ran.success, "{}", ran.output);
    assert!(ran.calls.iter().all(|call| !call.answer.to_string().contains(SECRET)));

    let list = ["pages", "secret", "list", "--project-name", "demo"];
    let listed = wrangler.run(&list).await;
    listed.says("API_KEY");
    assert!(!listed.output.contains("PLAIN") && !listed.output.contains(SECRET), "{}", listed.output);

    let settings = api.get(&project("demo", "")).ok().await;
    let variables = &settings["deployment_configs"]["production"]["env_vars"];
    assert_eq!(variables["API_KEY"], serde_json::json!({ "type": "secret_text", "value": "" }));
    assert_eq!(variables["PLAIN"]["value"], "seen");
    let preview = &settings["deployment_configs"]["preview"]["env_vars"];
    assert!(preview.get("API_KEY").is_none(), "the other environment is left alone: {preview}");

    let delete = ["pages", "secret", "delete", "API_KEY", "--project-name", "demo"];
    wrangler.run(&delete).await;
    assert!(!wrangler.run(&list).await.output.contains("API_KEY"));
    assert!(!server.log().contains(SECRET));
}

async fn many_secrets_of_the_preview_are_put_at_once(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    let api = server.api();
    api.create_project("demo").await;
    wrangler.directory.write("secrets.json", r#"{ "ONE": "first secret", "TWO": "second secret" }"#);
    let project_name = ["--project-name", "demo", "--env", "preview"];
    wrangler.run(&[&["pages", "secret", "bulk", "secrets.json"][..], &project_name].concat()).await;
    let listed = wrangler.run(&[&["pages", "secret", "list"][..], &project_name].concat()).await;
    listed.says("ONE").says("TWO");
    let settings = api.get(&project("demo", "")).ok().await;
    assert_eq!(settings["deployment_configs"]["preview"]["env_vars"]["TWO"]["value"], "");
}

async fn a_secret_of_an_unknown_project_is_refused(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    let put = ["pages", "secret", "put", "API_KEY", "--project-name", "nothing"];
    let ran = wrangler.run_with(&put, &[], SECRET).await;
    assert!(!ran.success);
    ran.says("Project \"nothing\" does not exist.");
}

each_release! {
    a_secret_is_put_listed_and_deleted_but_never_shown
    many_secrets_of_the_preview_are_put_at_once
    a_secret_of_an_unknown_project_is_refused
}
