//! What an operator does beside a running server: `offprint gc`, `domain` and `config check`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{HOST, Shell};
use crate::support::{Site, TestServer, project};

/// A shell that knows where the server keeps everything.
fn operator_of(server: &TestServer) -> Shell {
    Shell::new().with("OFFPRINT_DATA", server.data().to_str().unwrap())
}

#[tokio::test]
async fn gc_beside_a_server_takes_what_nothing_uses_and_leaves_the_rest() {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    Site::page("kept").deploy(&api, "demo").await;
    Site::new().asset("/never-deployed.bin", vec![7; 100_000]).upload(&api, "demo").await;
    let shell = operator_of(&server);
    shell.run(&["gc"]).await.says("Collected 0 blobs");
    assert!(server.stored_bytes() > 100_000);
    shell.run(&["gc", "--blob-grace", "0", "--verify"]).await.says("Every deployment is whole.");
    assert!(server.stored_bytes() < 100_000, "{}", server.stored_bytes());
    server.shows(HOST, "kept").await;
    // What was collected can be uploaded and deployed again.
    Site::page("next").asset("/never-deployed.bin", vec![7; 100_000]).deploy(&api, "demo").await;
    shell.run(&["gc", "--blob-grace", "0"]).await;
    server.shows(HOST, "next").await;
    let large = server.site(HOST, "/never-deployed.bin").await.bytes().await.unwrap();
    assert!(large == vec![7; 100_000]);
}

#[tokio::test]
async fn gc_verify_finds_damaged_and_missing_blobs() {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    Site::page("front").asset("/large.bin", vec![7; 100_000]).deploy(&api, "demo").await;
    let shell = operator_of(&server);
    shell.run(&["gc", "--verify"]).await;
    let blob =
        files(&server.data().join("blobs")).into_iter().max_by_key(|file| file.metadata().unwrap().len());
    let blob = blob.unwrap();
    let mut bytes = fs::read(&blob).unwrap();
    bytes[50_000] ^= 1;
    fs::write(&blob, bytes).unwrap();
    shell.fails(&["gc", "--verify"]).await.says("damaged: ").says("the store is damaged");
    fs::remove_file(&blob).unwrap();
    shell.fails(&["gc", "--verify"]).await.says("damaged: ");
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn without_a_store_the_operators_commands_make_none() {
    let shell = Shell::new();
    for arguments in [&["gc"][..], &["domain", "list"], &["domain", "activate", "www.example.test"]] {
        shell.fails(arguments).await.says("--data");
    }
    assert_eq!(fs::read_dir(shell.path()).unwrap().count(), 0);
    // An empty directory is no store either: most likely it is the wrong one.
    fs::create_dir(shell.path().join("empty")).unwrap();
    shell.fails(&["gc", "--data", "empty"]).await.says("--data");
    assert_eq!(fs::read_dir(shell.path().join("empty")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_custom_domain_answers_once_the_operator_activates_it() {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    Site::page("front").deploy(&api, "demo").await;
    let (domain, shell) = ("www.example.test", operator_of(&server));
    shell.fails(&["domain", "activate", domain]).await.says("no project has added www.example.test");
    api.post(&project("demo", "/domains")).json(&json!({ "name": domain })).ok().await;
    // Until then it is a name of the server like any other.
    let platform = server.page(domain, "/").await;
    assert!(platform.contains("This is an Offprint server"), "{platform}");

    shell.run(&["domain", "activate", domain]).await.says("www.example.test of demo is active.");
    server.shows(domain, "front").await;
    let status = api.get(&project("demo", &format!("/domains/{domain}"))).ok().await;
    assert_eq!(status["status"], "active");
    shell.run(&["domain", "list"]).await.says(domain).says("demo").says("active");
    assert_eq!(shell.run(&["domain", "list", "--json"]).await.json()[0]["domain"], domain);

    shell.run(&["domain", "deactivate", "WWW.Example.Test"]).await;
    server.shows(domain, &platform).await;
    shell.fails(&["domain", "activate", "not a domain"]).await;
}

#[tokio::test]
async fn flags_win_over_variables_and_those_over_the_file() {
    let shell = Shell::new();
    shell.run(&["config", "check"]).await.says("127.0.0.1:8788").says("The configuration is valid.");
    shell
        .home
        .write("offprint.toml", "listen = '127.0.0.1:1001'\ndomain = 'file.example'\ndata = 'from-file'\n");
    let said = shell.run(&["config", "check"]).await;
    said.says("127.0.0.1:1001").says("file.example").says("from-file");
    let shell = shell.with("OFFPRINT_LISTEN", "127.0.0.1:1002").with("OFFPRINT_DOMAIN", "env.example");
    let said = shell.run(&["config", "check", "--listen", "127.0.0.1:1003"]).await;
    said.says("127.0.0.1:1003").says("env.example").says("from-file");
    assert!(!shell.path().join("from-file").exists(), "checking makes nothing");
    // The operator's commands look in the same places.
    shell.fails(&["gc"]).await.says("from-file holds no store");
    shell.with("OFFPRINT_DATA", "from-env").fails(&["domain", "list"]).await.says("from-env holds no store");
}

#[tokio::test]
async fn strict_is_one_setting_for_the_limits_of_pages() {
    let shell = Shell::new();
    let check = ["config", "check"];
    shell.run(&check).await.says("strict       no").says("104857600 bytes an asset, 100000 assets");
    shell.run(&[&check[..], &["--strict"]].concat()).await.says("26214400 bytes an asset, 20000 assets");
    shell.home.write("offprint.toml", "strict = true\nfiles-max = 7\naccess-log = '-'\n");
    let said = shell.run(&check).await;
    said.says("strict       yes").says("26214400 bytes an asset, 7 assets").says("standard output, 1 of");
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_by_the_name_of_the_setting() {
    let shell = Shell::new();
    for (file, reasons) in [
        ("lissten = '127.0.0.1:1'\n", &["offprint.toml", "lissten", "line 1"][..]),
        ("listen = 8788\n", &["offprint.toml", "listen", "string"]),
        ("files-max = 'many'\n", &["offprint.toml", "files-max"]),
        ("files-max = -1\n", &["offprint.toml", "files-max"]),
        ("trust-proxy = 'yes'\n", &["offprint.toml", "trust-proxy"]),
        ("[server]\nlisten = '127.0.0.1:1'\n", &["offprint.toml", "server"]),
        ("listen = \n", &["offprint.toml", "line 1"]),
        ("listen = 'nowhere'\n", &["listen:", "127.0.0.1:8788"]),
        ("public-url = 'pages.example'\n", &["public-url:"]),
        ("log-format = 'xml'\n", &["log-format:"]),
        ("log = 'a=b=c'\n", &["log:"]),
        ("tls-cert = 'cert.pem'\n", &["tls-key:"]),
        ("access-log-sample = 2.0\n", &["access-log-sample:"]),
        ("skew-protection = -1\n", &["offprint.toml", "skew-protection"]),
    ] {
        shell.home.write("offprint.toml", file);
        for command in [&["config", "check"][..], &["serve"]] {
            let said = shell.fails(command).await;
            for reason in reasons {
                said.says(reason);
            }
        }
    }
    assert!(!shell.path().join(".offprint").exists(), "nothing is made before the settings are right");
    let missing = shell.fails(&["config", "check", "--config", "nowhere.toml"]).await;
    missing.says("cannot read the configuration file nowhere.toml");
}

#[tokio::test]
async fn the_settings_of_the_check_keep_their_secrets() {
    let secret = "a-secret-that-nobody-should-read";
    let shell = Shell::new().with("OFFPRINT_BOOTSTRAP_TOKEN", secret);
    for arguments in [&["config", "check"][..], &["serve", "--help"], &["config", "check", "--help"]] {
        let said = shell.run(arguments).await;
        assert!(!said.out.contains(secret) && !said.err.contains(secret), "{arguments:?}");
    }
}
