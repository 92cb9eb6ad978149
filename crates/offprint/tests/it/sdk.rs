//! The released SDKs, method by method, through a relay that checks every answer.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::support::{ACCOUNT, Peers, TOKEN, TestDirectory, TestServer, asset_key, testdata};

/// Runs a script that prints a line for each method and fails at the first that does not work.
async fn run(server: &TestServer, program: PathBuf, script: &str, directory: PathBuf) {
    let recorder = server.recorder().await;
    let home = TestDirectory::new();
    let pages = ["one", "two", "draft"];
    let keys: serde_json::Map<_, _> = pages
        .iter()
        .map(|page| ((*page).to_owned(), json!(asset_key("/index.html", page.as_bytes()))))
        .collect();
    let mut command = Command::new(program);
    command.arg(testdata("peers/sdk").join(script)).arg(ACCOUNT).arg(json!(keys).to_string());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", home.path());
    command.env("CLOUDFLARE_BASE_URL", recorder.base_url()).env("CLOUDFLARE_API_TOKEN", TOKEN);
    command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(directory);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
    assert!(output.status.success(), "{script} failed:\n{said}");
}

#[tokio::test]
async fn every_method_of_the_python_sdk_works_and_decodes_strictly() {
    let Some(peers) = Peers::find() else { return };
    let server = TestServer::start().await;
    run(&server, peers.python(), "pages.py", testdata("peers/sdk")).await;
}

#[tokio::test]
async fn every_method_of_the_typescript_sdk_works() {
    let Some(peers) = Peers::find() else { return };
    let server = TestServer::start().await;
    run(&server, "node".into(), "pages.mjs", peers.node_directory()).await;
}
