//! Manifests: paths that try to leave the site, wrong keys, too many entries.

use offprint_wire::error_code::ErrorCode;
use serde_json::{Map, Value, json};

use super::{nothing_was_deployed, server_with_demo};
use crate::support::{Api, Form, Site, TestServer, asset_key, project, upload, went_live};

async fn post(api: &Api, manifest: &Value) -> crate::support::Answer {
    api.post(&project("demo", "/deployments")).form(Form::manifest(manifest)).send().await
}

#[tokio::test]
async fn paths_with_tricks_are_refused() {
    let (server, api) = server_with_demo().await;
    upload(&api, "demo", &[("/a.txt", b"a")]).await;
    let key = asset_key("/a.txt", b"a");
    let long = format!("/{}.txt", "a".repeat(4096));
    let deep = "/a".repeat(2048);
    for path in [
        "/../a.txt",
        "../a.txt",
        "/a/../../a.txt",
        "/a/../a.txt",
        "/..",
        "/./a.txt",
        "/a\0.txt",
        "/a\\..\\a.txt",
        "\\\\host\\a.txt",
        "C:\\a.txt",
        "//a.txt",
        "//host/a.txt",
        "/a//b.txt",
        "/a/",
        "/",
        "",
        &long,
        &deep,
    ] {
        let message =
            post(&api, &json!({ "/good.txt": key, path: key })).await.refused(ErrorCode::InvalidManifest);
        assert!(message.len() < 1000, "the message does not repeat a long path: {}", message.len());
    }
    nothing_was_deployed(&server, &api).await;
}

#[tokio::test]
async fn a_path_that_occurs_twice_after_normalising_is_refused() {
    let (server, api) = server_with_demo().await;
    upload(&api, "demo", &[("/a.txt", b"a"), ("/a.txt", b"b")]).await;
    let (one, two) = (asset_key("/a.txt", b"a"), asset_key("/a.txt", b"b"));
    post(&api, &json!({ "/a.txt": one, "a.txt": two })).await.refused(ErrorCode::InvalidManifest);
    let twice = format!(r#"{{"/a.txt":"{one}","/a.txt":"{two}"}}"#);
    let form = Form::default().text("manifest", twice);
    let answer = api.post(&project("demo", "/deployments")).form(form).send().await;
    answer.refused(ErrorCode::InvalidManifest);
    nothing_was_deployed(&server, &api).await;
}

#[tokio::test]
async fn a_manifest_that_is_no_map_of_texts_is_refused() {
    let (server, api) = server_with_demo().await;
    for manifest in [json!([]), json!(null), json!("x"), json!(1), json!({ "/a": 1 }), json!({ "/a": null })]
    {
        post(&api, &manifest).await.refused(ErrorCode::InvalidManifest);
    }
    for key in ["", "a b", "ä", &"k".repeat(129)] {
        post(&api, &json!({ "/a.txt": key })).await.refused(ErrorCode::InvalidManifest);
    }
    let path = project("demo", "/deployments");
    for text in ["", "{", "{\"/a\":\"b\"", "nonsense", &"[".repeat(200_000)] {
        api.post(&path)
            .form(Form::default().text("manifest", text))
            .refused(ErrorCode::InvalidManifest)
            .await;
    }
    api.post(&path).form(Form::default().text("branch", "main")).refused(ErrorCode::ManifestMissing).await;
    api.post(&path).form(Form::default()).refused(ErrorCode::ManifestMissing).await;
    nothing_was_deployed(&server, &api).await;
}

#[tokio::test]
async fn assets_that_were_never_uploaded_are_named() {
    let (server, api) = server_with_demo().await;
    upload(&api, "demo", &[("/here.txt", b"here")]).await;
    let site = Site::new().asset("/here.txt", "here").asset("/gone.txt", "gone");
    let message = site.post(&api, "demo").await.refused(ErrorCode::AssetsMissing);
    assert!(message.contains("/gone.txt") && !message.contains("/here.txt"), "{message}");
    nothing_was_deployed(&server, &api).await;
}

#[tokio::test]
async fn a_key_that_is_not_its_contents_is_refused_unless_the_setting_admits_it() {
    let item = json!([{
        "key": "b026324c6904b2a9cb4b88d6d61c81d1",
        "value": crate::support::base64(b"not the content"),
        "metadata": { "contentType": "text/plain" },
        "base64": true,
    }]);
    let manifest = json!({ "/a.txt": "b026324c6904b2a9cb4b88d6d61c81d1" });

    let (server, api) = server_with_demo().await;
    api.post("/pages/assets/upload").json(&item).ok().await;
    let message = post(&api, &manifest).await.refused(ErrorCode::KeyMismatch);
    assert!(message.contains("/a.txt"), "{message}");
    nothing_was_deployed(&server, &api).await;

    let server = TestServer::start_with(&[("OFFPRINT_ADMIT_FOREIGN_KEYS", "true")]).await;
    let api = server.api();
    api.create_project("demo").await;
    api.post("/pages/assets/upload").json(&item).ok().await;
    let created = post(&api, &manifest).await.ok();
    went_live(&api, "demo", &created, "/a.txt").await;
    assert_eq!(server.page("demo.pages.localhost", "/a.txt").await, "not the content");
}

#[tokio::test]
async fn a_key_of_another_extension_is_refused() {
    let (server, api) = server_with_demo().await;
    upload(&api, "demo", &[("/a.html", b"<script>")]).await;
    let manifest = json!({ "/a.txt": asset_key("/a.html", b"<script>") });
    post(&api, &manifest).await.refused(ErrorCode::KeyMismatch);
    nothing_was_deployed(&server, &api).await;
}

#[tokio::test]
async fn more_entries_than_the_limit_are_refused() {
    let server = TestServer::start_with(&[("OFFPRINT_FILES_MAX", "10")]).await;
    let api = server.api();
    api.create_project("demo").await;
    upload(&api, "demo", &[("/a.txt", b"a")]).await;
    let key = asset_key("/a.txt", b"a");
    let manifest = |n: usize| -> Value {
        (0..n).map(|n| (format!("/{n}.txt"), json!(key))).collect::<Map<_, _>>().into()
    };
    post(&api, &manifest(11)).await.refused(ErrorCode::TooManyFiles);
    nothing_was_deployed(&server, &api).await;
    post(&api, &manifest(10)).await.ok();
}
