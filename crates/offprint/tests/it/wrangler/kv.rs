//! `wrangler kv …`

use serde_json::{Value, json};

use crate::support::{Release, TestServer, Wrangler};

/// Makes a namespace with wrangler; its id.
async fn namespace(wrangler: &Wrangler, title: &str) -> String {
    let ran = wrangler.run(&["kv", "namespace", "create", title]).await;
    let made = ran.calls.iter().find(|call| call.method == "POST").expect("a namespace was made");
    made.answer["result"]["id"].as_str().unwrap().to_owned()
}

async fn a_namespace_is_made_renamed_and_deleted(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    let id = namespace(&wrangler, "my namespace").await;
    let again = wrangler.try_run(&["kv", "namespace", "create", "my namespace"]).await;
    assert!(!again.success);
    again.says("already exists");
    wrangler.run(&["kv", "namespace", "rename", "--namespace-id", &id, "--new-name", "renamed"]).await;
    let listed = wrangler.run(&["kv", "namespace", "list"]).await;
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed, json!([{ "id": id, "title": "renamed", "supports_url_encoding": true }]));
    wrangler.run(&["kv", "namespace", "delete", "--namespace-id", &id]).await;
    let listed = wrangler.run(&["kv", "namespace", "list"]).await;
    assert_eq!(listed.stdout.trim(), "[]");
}

async fn pairs_are_put_read_listed_and_deleted(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    let id = namespace(&wrangler, "one").await;
    let at = ["--namespace-id", &id, "--remote"];
    wrangler.run(&[&["kv", "key", "put", "plain", "value"][..], &at].concat()).await;
    wrangler.run(&[&["kv", "key", "put", "a/b ü?#%2F", "odd"][..], &at].concat()).await;
    let options = ["--metadata", r#"{"n":1}"#, "--ttl", "3600"];
    wrangler.run(&[&["kv", "key", "put", "described", "text"][..], &options, &at].concat()).await;
    wrangler.directory.write("bytes.bin", [0, 159, 146, 150, 255]);
    wrangler.run(&[&["kv", "key", "put", "bytes", "--path", "bytes.bin"][..], &at].concat()).await;

    let get = async |key: &str| {
        wrangler.run(&[&["kv", "key", "get", key, "--text"][..], &at].concat()).await.stdout
    };
    assert_eq!(get("plain").await.trim(), "value");
    assert_eq!(get("a/b ü?#%2F").await.trim(), "odd");
    assert_eq!(get("described").await.trim(), "text");
    let nothing = wrangler.try_run(&[&["kv", "key", "get", "nothing"][..], &at].concat()).await;
    assert!(!nothing.success && nothing.output.contains("404"), "{}", nothing.output);

    let listed = wrangler.run(&[&["kv", "key", "list"][..], &at].concat()).await;
    let listed: Vec<Value> = serde_json::from_str(&listed.stdout).unwrap();
    let names: Vec<_> = listed.iter().map(|key| key["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a/b ü?#%2F", "bytes", "described", "plain"]);
    assert_eq!(listed[2]["metadata"], json!({ "n": 1 }));
    assert!(listed[2]["expiration"].as_u64().unwrap() > 0);

    let short = wrangler.try_run(&[&["kv", "key", "put", "k", "v", "--ttl", "10"][..], &at].concat()).await;
    assert!(!short.success);
    short.says("at least 60");
    wrangler.run(&[&["kv", "key", "delete", "plain"][..], &at].concat()).await;
    let prefixed = wrangler.run(&[&["kv", "key", "list", "--prefix", "p"][..], &at].concat()).await;
    assert_eq!(prefixed.stdout.trim(), "[]");
}

async fn many_pairs_are_put_read_and_deleted_at_once(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    let id = namespace(&wrangler, "one").await;
    let at = ["--namespace-id", &id, "--remote"];
    let pairs: Vec<Value> =
        (0..2500).map(|n| json!({ "key": format!("k{n:04}"), "value": format!("v{n}") })).collect();
    wrangler.directory.write("pairs.json", json!(pairs).to_string());
    wrangler.run(&[&["kv", "bulk", "put", "pairs.json"][..], &at].concat()).await;
    let listed = wrangler.run(&[&["kv", "key", "list"][..], &at].concat()).await;
    let listed: Vec<Value> = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed.len(), 2500, "page after page");
    wrangler.directory.write("keys.json", r#"["k0007", "k2499", "nothing"]"#);
    wrangler.run(&[&["kv", "bulk", "get", "keys.json"][..], &at].concat()).await.says("v7").says("v2499");
    wrangler
        .directory
        .write("gone.json", json!(pairs.iter().map(|pair| &pair["key"]).collect::<Vec<_>>()).to_string());
    wrangler.run(&[&["kv", "bulk", "delete", "gone.json", "--force"][..], &at].concat()).await;
    let listed = wrangler.run(&[&["kv", "key", "list"][..], &at].concat()).await;
    assert_eq!(listed.stdout.trim(), "[]");
}

each_release! {
    a_namespace_is_made_renamed_and_deleted
    pairs_are_put_read_listed_and_deleted
    many_pairs_are_put_read_and_deleted_at_once
}
