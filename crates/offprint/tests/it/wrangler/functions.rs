//! `wrangler pages deploy` of projects with Functions or a configuration file: what is uploaded is kept, and where no
//! Functions run a request for one says so. (How they run is tested below `functions`.)

use serde_json::Value;

use crate::support::{Release, TestServer, project};

/// All log lines of a deployment.
async fn log_of(server: &TestServer, name: &str, deployment: &Value) -> String {
    let path = format!("/deployments/{}/history/logs", deployment["id"].as_str().unwrap());
    let log = server.api().get(&project(name, &path)).ok().await;
    let lines = log["data"].as_array().unwrap();
    lines.iter().map(|line| line["line"].as_str().unwrap().to_owned() + "\n").collect()
}

async fn functions_are_kept_and_answered_with_a_clear_page(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server, "samples/wrangler-deploy/functions-modules/site");
    server.api().create_project("demo").await;
    let ran = wrangler.run(&["pages", "deploy", "public", "--project-name", "demo"]).await;
    assert_eq!(ran.deployment()["uses_functions"], true);
    // The generated routes name two paths; everything else stays static.
    assert_eq!(server.site("demo.pages.localhost", "/health").await.status(), 501);
    assert_eq!(server.site("demo.pages.localhost", "/").await.status(), 200);
    let log = log_of(&server, "demo", ran.deployment()).await;
    assert!(log.contains("Functions"), "{log}");
}

async fn a_configuration_file_becomes_the_projects_configuration(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server, "samples/wrangler-deploy/wrangler-toml/site");
    let api = server.api();
    api.create_project("demo-d").await;
    wrangler.run(&["pages", "deploy", "--branch", "main"]).await;
    let settings = api.get(&project("demo-d", "")).ok().await;
    assert_eq!(settings["build_config"]["destination_dir"], "dist");
    let production = &settings["deployment_configs"]["production"];
    assert_eq!(production["env_vars"]["MY_VAR"]["value"], "from toml");
    assert_eq!(production["kv_namespaces"]["MY_KV"]["namespace_id"], "0123456789abcdef0123456789abcdef");
    assert_eq!(production["d1_databases"]["DB"]["id"], "33333333-3333-4333-8333-333333333333");
    assert_eq!(production["r2_buckets"]["BUCKET"]["name"], "demo-bucket");
    assert_eq!(production["compatibility_date"], "2026-01-15");
    assert_eq!(production["compatibility_flags"], serde_json::json!(["nodejs_compat"]));
    assert!(production["wrangler_config_hash"].is_string(), "{production}");

    wrangler.run(&["pages", "deploy", "--branch", "feature"]).await;
    let settings = api.get(&project("demo-d", "")).ok().await;
    let preview = &settings["deployment_configs"]["preview"]["env_vars"];
    assert_eq!(preview["MY_VAR"]["value"], "from toml preview");
}

async fn every_kind_of_binding_is_accepted(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server, "samples/wrangler-deploy/wrangler-jsonc-all-bindings/site");
    let api = server.api();
    api.create_project("demo-g").await;
    wrangler.run(&["pages", "deploy", "--branch", "main"]).await;
    let settings = api.get(&project("demo-g", "")).ok().await;
    let production = &settings["deployment_configs"]["production"];
    assert_eq!(production["services"]["OTHER"]["service"], "other-worker");
    assert_eq!(production["queue_producers"]["Q"]["name"], "demo-queue");
    assert_eq!(production["analytics_engine_datasets"]["AE"]["dataset"], "ds");
    assert_eq!(production["vectorize_bindings"]["VEC"]["index_name"], "idx");
    assert_eq!(production["hyperdrive_bindings"]["HD"]["id"], "44444444444444444444444444444444");
    assert_eq!(production["limits"]["cpu_ms"], 100);
    assert_eq!(production["placement"]["mode"], "smart");
}

each_release! {
    functions_are_kept_and_answered_with_a_clear_page
    a_configuration_file_becomes_the_projects_configuration
    every_kind_of_binding_is_accepted
}
