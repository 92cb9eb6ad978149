//! schemathesis calls a server in every way that its own description allows, and in ways that it does not; answers must be
//! what is described, and refusals refusals. `scripts/schemathesis` runs the same for as long as one likes.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{ACCOUNT, Peers, Site, TOKEN, TestDirectory, TestServer, id};

/// For how long, in seconds, unless `OFFPRINT_SCHEMATHESIS_SECONDS` says so.
const SECONDS: &str = "110";
/// Always the same calls, unless `OFFPRINT_SCHEMATHESIS_SEED` says others.
const SEED: &str = "1";

/// One of everything that can be asked for, as variables of the environment.
async fn stock(server: &TestServer) -> Vec<(&'static str, String)> {
    let (pages, api) = (server.api(), server.deploys().await);
    pages.create_project("demo").await;
    let deployment = Site::page("stock").deploy(&pages, "demo").await;
    let made = async |path: String, body: Value| pages.post(&path).json(&body).ok().await;
    let account = format!("/accounts/{ACCOUNT}");
    made(crate::support::project("demo", "/domains"), json!({ "name": "www.example.invalid" })).await;
    let namespace = made(format!("{account}/storage/kv/namespaces"), json!({ "title": "stock" })).await;
    made(format!("{account}/d1/database"), json!({ "name": "stock" })).await;
    made(format!("{account}/r2/buckets"), json!({ "name": "stock" })).await;
    let (app, version) = api.app("Stock", &[("index.html", "x")]).await;
    let build = api.build(&version).await;
    let deploy = api.deploy(&build).await;
    let first = async |list: &str| id(&api.get(list).await.ok()["data"][0]);
    let hook = json!({ "name": "stock", "url": "https://nobody.invalid/", "enabled": false });
    let key = json!({ "name": "stock", "permission": "read" });
    vec![
        ("OFFPRINT_TOKEN", TOKEN.to_owned()),
        ("OFFPRINT_ACCOUNT", ACCOUNT.to_owned()),
        ("OFFPRINT_DEPLOYMENT", id(&deployment)),
        ("OFFPRINT_NAMESPACE", id(&namespace)),
        ("OFFPRINT_APP", app),
        ("OFFPRINT_VERSION", version),
        ("OFFPRINT_BUILD", build),
        ("OFFPRINT_DEPLOY", id(&deploy)),
        ("OFFPRINT_WORKSPACE", first("/workspaces").await),
        ("OFFPRINT_EVENT", first("/events").await),
        ("OFFPRINT_KEY", id(&api.post("/api-keys", key).await.made())),
        ("OFFPRINT_HOOK", id(&api.post("/webhook-subscriptions", hook).await.made())),
    ]
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_as_it_says_that_it_is() {
    let Some(peers) = Peers::find() else { return };
    let server = TestServer::start_with(&[("OFFPRINT_BUILDER", "off")]).await;
    let seconds = setting("OFFPRINT_SCHEMATHESIS_SECONDS", SECONDS);
    let seed = setting("OFFPRINT_SCHEMATHESIS_SEED", SEED);
    let directory = TestDirectory::copy_of("schemathesis");
    // It has a budget of its own, and goes over it for what it has begun.
    let most = seconds.parse::<u64>().unwrap() * 2 + 60;
    let mut schemathesis = Command::new("timeout");
    schemathesis
        .arg(most.to_string())
        .arg(peers.schemathesis())
        .args(["-m", "schemathesis.cli", "run", &format!("{}/openapi.json", server.origin()), "--no-color"])
        .arg("--no-shrink")
        .args(["--max-time", &seconds, "--seed", &seed, "--generation-database", "none"])
        .envs(stock(&server).await)
        .current_dir(directory.path());
    let run = tokio::task::spawn_blocking(move || schemathesis.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
    println!("{said}");
    assert!(!server.log().contains("the request failed"), "faults of the server are in its log");
}
