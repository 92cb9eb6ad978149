//! `wrangler pages download config`

use serde_json::json;

use crate::support::{Release, TestServer, project};

async fn the_configuration_is_written_as_a_file(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    let api = server.api();
    api.create_project("demo").await;
    let settings = json!({
        "build_config": { "destination_dir": "dist" },
        "deployment_configs": {
            "production": {
                "compatibility_date": "2026-01-15",
                "compatibility_flags": ["nodejs_compat"],
                "env_vars": {
                    "PLAIN": { "type": "plain_text", "value": "seen" },
                    "HIDDEN": { "type": "secret_text", "value": "not seen" },
                },
                "kv_namespaces": { "MY_KV": { "namespace_id": "0123456789abcdef0123456789abcdef" } },
                "d1_databases": { "DB": { "id": "33333333-3333-4333-8333-333333333333" } },
                "r2_buckets": { "BUCKET": { "name": "demo-bucket" } },
                "services": { "OTHER": { "service": "other-worker", "environment": "production" } },
                "queue_producers": { "QUEUE": { "name": "demo-queue" } },
                "limits": { "cpu_ms": 100 },
                "placement": { "mode": "smart" },
            },
            "preview": { "env_vars": { "PLAIN": { "type": "plain_text", "value": "draft" } } },
        },
    });
    api.patch(&project("demo", "")).json(&settings).ok().await;

    wrangler.run(&["pages", "download", "config", "demo"]).await;
    let written = wrangler.directory.read("wrangler.toml");
    for expected in [
        "name = \"demo\"",
        "pages_build_output_dir = \"dist\"",
        "compatibility_date = \"2026-01-15\"",
        "nodejs_compat",
        "PLAIN = \"seen\"",
        "PLAIN = \"draft\"",
        "binding = \"MY_KV\"",
        "binding = \"DB\"",
        "binding = \"BUCKET\"",
        "binding = \"OTHER\"",
        "binding = \"QUEUE\"",
        "cpu_ms = 100",
        "mode = \"smart\"",
    ] {
        assert!(written.contains(expected), "{expected} is not in:\n{written}");
    }
    assert!(!written.contains("HIDDEN"), "{written}");
}

async fn a_project_with_defaults_can_be_downloaded(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    server.api().create_project("demo").await;
    wrangler.run(&["pages", "download", "config", "demo"]).await;
    assert!(wrangler.directory.read("wrangler.toml").contains("name = \"demo\""));
}

each_release! {
    the_configuration_is_written_as_a_file
    a_project_with_defaults_can_be_downloaded
}
