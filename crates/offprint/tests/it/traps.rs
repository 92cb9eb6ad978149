//! The places where servers of this protocol go wrong, each by its symptom in a client.
//!
//! Some have their test elsewhere: `wrangler::project` (the list that must end), `wrangler::deploy` (odd
//! names), `pages::projects::deployments` (tails), `samples` (a bundle without its header).

use std::collections::BTreeSet;

use offprint_wire::error_code::ErrorCode;
use serde_json::{Value, json};

use crate::support::{
    Api, Form, Site, TestServer, asset_key, project, projects, upload, upload_body, upload_token, went_live,
};

async fn server_with_demo() -> (TestServer, Api) {
    let server = TestServer::start().await;
    let api = server.api();
    api.create_project("demo").await;
    (server, api)
}

/// wrangler stops polling at the first `deploy` stage and at the first success of any stage.
#[tokio::test]
async fn the_latest_stage_never_ends_the_polling_before_the_deployment_has_ended() {
    let (_server, api) = server_with_demo().await;
    let mut site = Site::page("front");
    for n in 0..800 {
        site = site.asset(&format!("/{n}.txt"), n.to_string());
    }
    let created = site.start(&api, "demo").await;
    let mut seen = vec![created["latest_stage"].clone()];
    let path = project("demo", &format!("/deployments/{}", created["id"].as_str().unwrap()));
    while seen.last().unwrap()["name"] != "deploy" {
        seen.push(api.get(&path).ok().await["latest_stage"].take());
        assert!(seen.len() < 10_000, "the deployment does not end");
    }
    for stage in &seen {
        let (name, status) = (stage["name"].as_str().unwrap(), stage["status"].as_str().unwrap());
        let going_on = name != "deploy" && ["idle", "active"].contains(&status);
        assert!(going_on || (name, status) == ("deploy", "success"), "{stage}");
    }
}

/// The runtime of wrangler labels every string body as text.
#[tokio::test]
async fn json_is_read_whatever_the_content_type_says() {
    let server = TestServer::start().await;
    let api = server.api();
    let body = json!({ "name": "demo", "production_branch": "main" });
    api.post(&projects()).json_as_text(&body).ok().await;
    let patch = json!({ "production_branch": "live" });
    let patched = api.patch(&project("demo", "")).json_as_text(&patch).ok().await;
    assert_eq!(patched["production_branch"], "live");
    let patched = api.patch(&project("demo", "")).body("application/octet-stream", "{}").ok().await;
    assert_eq!(patched["production_branch"], "live");
}

/// SDK users call the upload endpoints with the API token.
#[tokio::test]
async fn uploads_take_the_upload_token_and_the_api_token() {
    let (server, api) = server_with_demo().await;
    let body = upload_body(&[("/index.html", b"front")]);
    let keys = json!({ "hashes": [asset_key("/index.html", b"front")] });
    for uploader in [api.clone(), server.bearer(&upload_token(&api, "demo").await)] {
        uploader.post("/pages/assets/upload").json(&body).ok().await;
        assert_eq!(uploader.post("/pages/assets/check-missing").json(&keys).ok().await, json!([]));
        uploader.post("/pages/assets/upsert-hashes").json(&keys).ok().await;
    }
    let reader = server.bearer(&api.create_read_token().await);
    reader.post("/pages/assets/upload").json(&body).refused(ErrorCode::PermissionDenied).await;
}

/// A bucket of wrangler's holds 40 MiB of files, base64 makes that 56 MB, and three go at once.
#[tokio::test]
async fn three_uploads_of_the_largest_size_are_taken_at_once() {
    let (server, api) = server_with_demo().await;
    let uploader = api.with_bearer(&upload_token(&api, "demo").await);
    let bucket = |seed: u8| {
        let half = |n: u8| (0..20 << 20).map(|i: u32| (i % 253) as u8 ^ seed ^ n).collect::<Vec<u8>>();
        upload_body(&[("/a.bin", &half(0)), ("/b.bin", &half(1))]).to_string()
    };
    let send = |seed| {
        let call = uploader.post("/pages/assets/upload").body("application/json", bucket(seed));
        async move { call.ok().await }
    };
    tokio::join!(send(10), send(20), send(30));
    let peak = server.peak_memory() >> 20;
    assert!(peak < 700, "the server held {peak} MiB");
}

/// Many parsers of forms stop at one or two megabytes of text.
#[tokio::test]
async fn a_manifest_of_a_hundred_thousand_paths_fits_into_its_form_field() {
    let server = TestServer::start_with(&[("OFFPRINT_FILES_MAX", "100000")]).await;
    let api = server.api();
    api.create_project("demo").await;
    upload(&api, "demo", &[("/a.txt", b"same")]).await;
    let key = asset_key("/a.txt", b"same");
    let path = |n: usize| format!("/a-long-directory-name-to-make-the-manifest-larger/{n:06}/some-file.txt");
    let manifest: serde_json::Map<_, _> = (0..100_000).map(|n| (path(n), json!(key))).collect();
    let form = Form::manifest(&manifest.into());
    assert!(form.clone().finish().1.len() > 10_000_000);
    let created = api.post(&project("demo", "/deployments")).form(form).ok().await;
    went_live(&api, "demo", &created, &path(0)).await;
    assert_eq!(server.page("demo.pages.localhost", &path(99_999)).await, "same");
}

/// SDKs ask page after page until one is empty; the real service refuses large pages.
#[tokio::test]
async fn pages_end_with_an_empty_one_and_have_a_greatest_size() {
    let (_server, api) = server_with_demo().await;
    let deployments = project("demo", "/deployments");
    for path in [projects(), deployments.clone()] {
        let beyond = api.get(&format!("{path}?page=7")).send().await;
        assert_eq!(beyond.json["result_info"]["page"], 7);
        assert_eq!(beyond.ok(), json!([]));
        for query in ["page=0", "page=-1", "page=x", "per_page=0", "page=99999999999999999999"] {
            api.get(&format!("{path}?{query}")).refused(ErrorCode::InvalidListOptions).await;
        }
    }
    api.get(&format!("{deployments}?per_page=25")).ok().await;
    api.get(&format!("{deployments}?per_page=26")).refused(ErrorCode::InvalidListOptions).await;
    api.get(&format!("{}?per_page=25", projects())).ok().await;
}

/// SDKs repeat a 409 two to ten times unless they are told not to.
#[tokio::test]
async fn a_final_conflict_says_that_a_retry_is_useless() {
    let (_server, api) = server_with_demo().await;
    let body = json!({ "name": "demo", "production_branch": "main" });
    let answer = api.post(&projects()).json(&body).send().await;
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    answer.refused(ErrorCode::ProjectExists);
}

/// wrangler acts on the code of the first error alone; on 8000013 it fetches a new token and goes on.
#[tokio::test]
async fn clients_find_the_codes_they_act_on() {
    let (server, api) = server_with_demo().await;
    api.get(&project("nothing", "")).refused(ErrorCode::ProjectNotFound).await;
    assert_eq!(ErrorCode::ProjectNotFound.number(), 8_000_007);
    let expired = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let ask = json!({ "hashes": [] });
    for endpoint in ["check-missing", "upsert-hashes"] {
        let call = server.bearer(expired).post(&format!("/pages/assets/{endpoint}")).json(&ask);
        call.refused(ErrorCode::AuthorizationFailed).await;
        let fresh = api.with_bearer(&upload_token(&api, "demo").await);
        fresh.post(&format!("/pages/assets/{endpoint}")).json(&ask).ok().await;
    }
    assert_eq!(ErrorCode::AuthorizationFailed.number(), 8_000_013);
}

/// The key is of the base64 text and the extension, not of the bytes.
#[tokio::test]
async fn the_same_bytes_under_two_extensions_have_two_keys() {
    let (server, api) = server_with_demo().await;
    upload(&api, "demo", &[("/a.txt", b"same")]).await;
    let (txt, css) = (asset_key("/a.txt", b"same"), asset_key("/a.css", b"same"));
    assert_ne!(txt, css);
    let missing = api.post("/pages/assets/check-missing").json(&json!({ "hashes": [txt, css] })).ok().await;
    assert_eq!(missing, json!([css]));
    let site = Site::new().asset("/a.txt", "same").asset("/a.css", "same");
    site.deploy(&api, "demo").await;
    for path in ["/a.txt", "/a.css"] {
        assert_eq!(server.page("demo.pages.localhost", path).await, "same");
    }
}

/// wrangler slices the hash and joins the domains without looking.
#[tokio::test]
async fn what_clients_read_without_a_check_is_never_null() {
    let (_server, api) = server_with_demo().await;
    let settings = api.get(&project("demo", "")).ok().await;
    assert_eq!(
        (&settings["latest_deployment"], &settings["canonical_deployment"]),
        (&Value::Null, &Value::Null)
    );
    assert!(settings.get("latest_deployment").is_some() && settings.get("canonical_deployment").is_some());
    assert!(settings["domains"].is_array());
    assert!(settings["build_config"].is_object());
    let deployment = Site::page("front").deploy(&api, "demo").await;
    let metadata = &deployment["deployment_trigger"]["metadata"];
    assert_eq!((&metadata["commit_hash"], &metadata["commit_message"]), (&json!(""), &json!("")));
    assert_eq!(metadata["commit_dirty"], false);
    assert!(deployment.get("source").is_none(), "a direct upload has no source");
    let addresses = [&deployment["url"]];
    assert!(addresses.iter().all(|url| url.as_str().unwrap().starts_with("http://")));
}

/// A value without a type keeps the type; a type without a value keeps the value.
#[tokio::test]
async fn a_secret_stays_a_secret_and_never_comes_back() {
    let (server, api) = server_with_demo().await;
    let path = project("demo", "");
    let patch = |variable: Value| {
        let body = json!({ "deployment_configs": { "preview": { "env_vars": { "KEY": variable } } } });
        api.patch(&path).json(&body)
    };
    let shown = |settings: &Value| settings["deployment_configs"]["preview"]["env_vars"]["KEY"].clone();
    let blank = json!({ "type": "secret_text", "value": "" });
    let put = patch(json!({ "type": "secret_text", "value": "hush hush 1" })).ok().await;
    assert_eq!(shown(&put), blank);
    assert_eq!(shown(&patch(json!({ "value": "hush hush 2" })).ok().await), blank);
    assert_eq!(shown(&api.get(&path).ok().await), blank);
    let plain = patch(json!({ "type": "plain_text", "value": "open" })).ok().await;
    assert_eq!(shown(&plain), json!({ "type": "plain_text", "value": "open" }));
    let again = patch(json!({ "type": "secret_text", "value": "hush hush 3" })).ok().await;
    assert_eq!(shown(&again), blank);

    let stored = files_below(&server.data());
    assert!(!stored.is_empty());
    for secret in ["hush hush 1", "hush hush 2", "hush hush 3"] {
        assert!(!stored.iter().any(|bytes| contains(bytes, secret)), "a secret is stored in the clear");
        assert!(!server.log().contains(secret));
    }
}

fn files_below(directory: &std::path::Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![std::fs::read(path).unwrap()] })
        .collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Examples of the SDKs use ids that are no UUIDs.
#[tokio::test]
async fn ids_are_opaque_text() {
    let (_server, api) = server_with_demo().await;
    let deployment = Site::page("front").deploy(&api, "demo").await;
    let short = deployment["short_id"].as_str().unwrap();
    for id in ["nothing", "0", "f64788e9-fccd-4d4a-a28a-cb84f88f6e12", "a%2Fb", "%00", short] {
        api.get(&project("demo", &format!("/deployments/{id}"))).refused(ErrorCode::DeploymentNotFound).await;
    }
}

/// The call has no idempotency key: two calls are two deployments.
#[tokio::test]
async fn a_deployment_sent_twice_is_two_deployments_of_the_same_content() {
    let (_server, api) = server_with_demo().await;
    let site = Site::page("front");
    let (one, two) = (site.deploy(&api, "demo").await, site.deploy(&api, "demo").await);
    assert_ne!(one["id"], two["id"]);
    assert_ne!(one["url"], two["url"]);
}

/// Manifest paths are raw text; the example of the official documentation has no leading slash.
#[tokio::test]
async fn manifest_paths_are_raw_and_may_lack_the_slash() {
    let (server, api) = server_with_demo().await;
    let paths = ["index.html", "/sub dir/ä#?%.txt", "/%2e%2e.txt", "/.hidden/日本語.html"];
    upload(&api, "demo", &[("/x.html", b"raw"), ("/x.txt", b"raw")]).await;
    let entry = |path: &&str| ((*path).to_owned(), json!(asset_key(path, b"raw")));
    let manifest: serde_json::Map<_, _> = paths.iter().map(entry).collect();
    let form = Form::manifest(&manifest.into());
    let created = api.post(&project("demo", "/deployments")).form(form).ok().await;
    went_live(&api, "demo", &created, "/index.html").await;
    let host = "demo.pages.localhost";
    for path in
        ["/", "/sub%20dir/%C3%A4%23%3F%25.txt", "/%252e%252e.txt", "/.hidden/%E6%97%A5%E6%9C%AC%E8%AA%9E"]
    {
        assert_eq!(server.page(host, path).await, "raw", "{path}");
    }
}

/// SDKs look at the status alone, wrangler at `success` alone.
#[tokio::test]
async fn a_failure_has_both_a_status_and_a_false_success() {
    let (server, api) = server_with_demo().await;
    let answers = [
        api.get(&project("nothing", "")).send().await,
        api.get("/nothing").send().await,
        api.post(&projects()).body("application/json", "{").send().await,
        server.anon().get("/user").send().await,
    ];
    let statuses: BTreeSet<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, BTreeSet::from([400, 404]));
    for answer in answers {
        assert_eq!(answer.json["success"], false);
        assert_eq!(answer.json["result"], Value::Null);
        assert!(answer.header("content-type").unwrap().starts_with("application/json"));
    }
}
