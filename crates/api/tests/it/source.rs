//! `…/source`: credentials go in and do not come out.

use serde_json::{Value, json};

use crate::harness::{Api, demo};

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n";

fn set(shown: &Value) -> [bool; 4] {
    ["webhook_secret_set", "token_set", "ssh_key_set", "known_hosts_set"]
        .map(|name| shown[name].as_bool().unwrap())
}

#[tokio::test]
async fn a_source_says_where_its_webhooks_go_and_what_is_set() {
    let api = Api::start().await;
    let project = api.built_project().await;
    let shown = api.reader().get(&demo("/source")).await.result();
    assert_eq!((&shown["type"], &shown["config"]["owner"]), (&json!("github"), &json!("cedar")));
    let id = project["id"].as_str().unwrap();
    let url = format!("http://localhost:8788/client/v4/pages/webhooks/git/{id}");
    assert_eq!(shown["webhook_url"], url);
    assert_eq!(set(&shown), [true, false, false, false], "a new project has a secret at once");
    assert_eq!(shown.get("webhook_secret"), None);
}

#[tokio::test]
async fn credentials_are_set_and_removed_and_never_shown() {
    let api = Api::start().await;
    api.built_project().await;
    let all = json!({"token": "hunter2", "ssh_key": KEY, "known_hosts": "hunter2 ssh-ed25519 AAAA",
        "webhook_secret": "hunter2-hunter2-hunter2"});
    assert_eq!(api.reader().patch(&demo("/source"), &all).await.refusal(), (403, 10000));
    let shown = api.writer().patch(&demo("/source"), &all).await.result();
    assert_eq!(set(&shown), [true; 4]);
    for answer in
        [shown, api.writer().get(&demo("/source")).await.result(), api.writer().get(&demo("")).await.result()]
    {
        assert!(!answer.to_string().contains("hunter2"), "{answer}");
    }
    let some = json!({"token": null, "webhook_secret": null});
    assert_eq!(set(&api.writer().patch(&demo("/source"), &some).await.result()), [false, false, true, true]);
    let bad = api.writer().patch(&demo("/source"), &json!({"token": "hunter2\n", "ssh_key": null})).await;
    assert_eq!(bad.refusal(), (400, 8_000_006));
    assert!(!bad.message().contains("hunter2"), "{}", bad.message());
    let after = api.writer().get(&demo("/source")).await.result();
    assert_eq!(set(&after), [false, false, true, true], "a refused change changes nothing");
}

#[tokio::test]
async fn a_new_webhook_secret_is_shown_once() {
    let api = Api::start().await;
    api.built_project().await;
    let path = demo("/source/webhook_secret");
    assert_eq!(api.reader().post_empty(&path).await.refusal(), (403, 10000));
    let (first, second) =
        (api.writer().post_empty(&path).await.result(), api.writer().post_empty(&path).await.result());
    let secret = |answer: &Value| answer["webhook_secret"].as_str().unwrap().to_owned();
    assert_ne!(secret(&first), secret(&second));
    assert_eq!(secret(&second).len(), 64);
    let shown = api.writer().get(&demo("/source")).await.result();
    assert!(!shown.to_string().contains(&secret(&second)));
}

#[tokio::test]
async fn a_project_without_a_repository_has_none_of_it() {
    let api = Api::start().await;
    api.project("demo").await;
    assert_eq!(api.reader().get(&demo("/source")).await.refusal(), (400, 8_100_010));
    assert_eq!(api.writer().patch(&demo("/source"), &json!({})).await.refusal(), (400, 8_100_010));
    assert_eq!(api.writer().post_empty(&demo("/source/webhook_secret")).await.refusal(), (400, 8_100_010));
}
