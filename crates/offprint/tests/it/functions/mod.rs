//! Functions, asked for through the real server and run by the real workerd.

mod answers;
mod bindings;
pub(crate) mod conformance;
mod lifecycle;
mod like_dev;
mod requests;
mod settings;
mod streams;
pub(crate) mod tail;
mod websockets;

use std::fs;
use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{Api, Site, TestDirectory, TestServer, fixture, project};

/// The host of the project that most tests deploy to.
pub(crate) const HOST: &str = "demo.pages.localhost";

/// A server that runs Functions; leaves the test where there is no workerd.
macro_rules! functions {
    () => {
        functions!(&[])
    };
    ($settings:expr) => {
        match crate::support::TestServer::with_functions($settings).await {
            Some(server) => server,
            None => return,
        }
    };
}
use functions;

/// A certificate and its key in files, for a server that speaks TLS.
struct Certificate {
    _files: TestDirectory,
    paths: [String; 2],
}

impl Certificate {
    fn new() -> Self {
        let files = TestDirectory::new();
        let paths = ["pem", "key"].map(|kind| {
            files.write(kind, fs::read(fixture(&format!("tls/first.{kind}"))).unwrap());
            files.path().join(kind).display().to_string()
        });
        Self { _files: files, paths }
    }

    fn settings(&self) -> [(&'static str, &str); 2] {
        [("OFFPRINT_TLS_CERT", &self.paths[0]), ("OFFPRINT_TLS_KEY", &self.paths[1])]
    }
}

/// A site with a page and this Worker.
fn worker(script: &str) -> Site {
    Site::page("static").file("_worker.js", script)
}

/// A Worker whose `fetch(request, env, ctx)` has this body.
fn answering(body: &str) -> Site {
    worker(&format!("export default {{ async fetch(request, env, ctx) {{ {body} }} }};"))
}

/// The project `demo` with this site in production.
async fn deployed(server: &TestServer, site: &Site) -> Api {
    let api = server.api();
    api.create_project("demo").await;
    site.deploy(&api, "demo").await;
    api
}

/// All lines of a deployment's log.
async fn log_of(api: &Api, deployment: &Value) -> String {
    let path = format!("/deployments/{}/history/logs", deployment["id"].as_str().unwrap());
    let log = api.get(&project("demo", &path)).ok().await;
    let lines = log["data"].as_array().unwrap().iter();
    lines.map(|line| line["line"].as_str().unwrap().to_owned() + "\n").collect()
}

/// Changes the settings of an environment of `demo`.
async fn configure(api: &Api, environment: &str, settings: &Value) {
    let change = json!({ "deployment_configs": { environment: settings } });
    api.patch(&project("demo", "")).json(&change).ok().await;
}

/// Waits until something is so; for what happens a moment after an answer.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it does not come to be that {what}");
}

/// A number among the server's metrics.
async fn metric(server: &TestServer, name: &str) -> f64 {
    let text = server.try_site("127.0.0.1", "/metrics").await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in:\n{text}")).parse().unwrap()
}

async fn json_of(response: Response) -> Value {
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}
