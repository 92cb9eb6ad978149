//! The deployment form: what is accepted, and that bad ones are refused with nothing stored.

use axum::body::Body;
use axum::http::Method;
use offprint_api::Limits;
use serde_json::{Value, json};

use crate::harness::{Api, deployments, form, key};

/// A part's name and bytes.
type Part<'a> = (&'a str, &'a [u8]);

async fn send(api: &Api, parts: &[Part<'_>]) -> crate::harness::Answer {
    api.writer().send_form(&deployments("demo"), form(parts)).await
}

async fn assert_none_stored(api: &Api) {
    assert_eq!(api.writer().get(&deployments("demo")).await.result(), json!([]));
}

#[tokio::test]
async fn a_direct_upload_has_the_shape_of_the_real_service() {
    let api = Api::start().await;
    api.project("demo").await;
    let manifest = api.upload("demo", &[("/index.html", "<h1>hi</h1>")]).await.to_string();
    let parts: [(&str, &[u8]); 5] = [
        ("manifest", manifest.as_bytes()),
        ("branch", b"feat/x"),
        ("commit_message", b"a message"),
        ("commit_hash", b"aaaa"),
        ("commit_dirty", b"true"),
    ];
    let mut made = send(&api, &parts).await.result();
    let id = made["id"].as_str().unwrap().to_owned();
    let url = format!("http://{}.demo.pages.localhost:8788", &id[..8]);
    assert_eq!(made["url"], url);
    assert_eq!(
        (made["latest_stage"]["name"].clone(), made["latest_stage"]["status"].clone()),
        (json!("queued"), json!("active"))
    );
    for member in [
        "id",
        "short_id",
        "project_id",
        "url",
        "created_on",
        "modified_on",
        "latest_stage",
        "stages",
        "compatibility_date",
    ] {
        assert!(made.as_object_mut().unwrap().remove(member).is_some(), "{member}");
    }
    assert_eq!(
        made,
        json!({
            "project_name": "demo", "environment": "preview",
            "deployment_trigger": {"type": "ad_hoc", "metadata": {
                "branch": "feat/x", "commit_hash": "aaaa", "commit_message": "a message", "commit_dirty": true}},
            "build_config": {"build_command": null, "destination_dir": null, "build_caching": null,
                "root_dir": null, "web_analytics_tag": null, "web_analytics_token": null},
            "env_vars": {}, "compatibility_flags": [], "build_image_major_version": 3, "usage_model": null,
            "aliases": null, "is_skipped": false, "production_branch": "main", "uses_functions": false
        })
    );
}

#[tokio::test]
async fn a_deployment_wakes_the_pipeline() {
    let api = Api::start().await;
    api.project("demo").await;
    let wake = api.wake.clone();
    api.deploy("demo", "main", &[("/a", "a")]).await;
    tokio::time::timeout(std::time::Duration::from_secs(1), wake.pipeline_woken()).await.unwrap();
}

#[tokio::test]
async fn unknown_commits_are_empty_texts_and_the_branch_is_productions() {
    let api = Api::start().await;
    api.project("demo").await;
    let made = send(&api, &[("manifest", b"{}")]).await.result();
    assert_eq!(made["environment"], "production");
    assert_eq!(
        made["deployment_trigger"]["metadata"],
        json!({"branch": "main", "commit_hash": "", "commit_message": "", "commit_dirty": false})
    );
}

#[tokio::test]
async fn forms_without_a_manifest_have_8000096() {
    let api = Api::start().await;
    api.project("demo").await;
    assert_eq!(send(&api, &[]).await.refusal(), (400, 8_000_096));
    assert_eq!(send(&api, &[("branch", b"main")]).await.refusal(), (400, 8_000_096));
    // The SDKs send the header of a form and no body.
    let request = axum::http::Request::post(format!(
        "/client/v4/accounts/{}/pages/projects/demo/deployments",
        crate::harness::ACCOUNT
    ))
    .header("x-auth-email", crate::harness::EMAIL)
    .header("x-auth-key", "a-token-that-may-write-0123456789")
    .header("content-type", "multipart/form-data")
    .header("content-length", "0");
    let answer = api.anonymous().send_raw(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.refusal(), (400, 8_000_096));
}

#[tokio::test]
async fn a_build_of_a_project_without_a_repository_is_refused() {
    let api = Api::start().await;
    api.project("demo").await;
    assert_eq!(api.writer().post_empty(&deployments("demo")).await.refusal(), (400, 8_100_010));
    assert_eq!(
        api.writer().post(&deployments("demo"), &json!({"branch": "x"})).await.refusal(),
        (400, 8_100_010)
    );
}

#[tokio::test]
async fn bad_parts_are_refused_and_nothing_is_stored() {
    let api = Api::start().await;
    api.project("demo").await;
    let routes = br#"{"version":1,"include":["no-slash"],"exclude":[]}"#;
    let cases: [(&[Part], u64, &str); 12] = [
        (&[("manifest", b"[]")], 8_100_006, "expected an object"),
        (&[("manifest", br#"{"/../etc/passwd":"k"}"#)], 8_100_006, "/../etc/passwd"),
        (&[("manifest", br#"{"/a":"k","a":"k"}"#)], 8_100_006, "more than once"),
        (&[("manifest", br#"{"/a\u0000b":"k"}"#)], 8_100_006, "no NUL"),
        (&[("manifest", b"{\"/a\xff\":\"k\"}")], 8_100_006, "invalid unicode"),
        (&[("manifest", b"{}"), ("commit_message", b"\xff")], 8_000_111, ""),
        (&[("manifest", b"{}"), ("branch", b"\xff")], 8_000_006, "branch must be valid UTF-8"),
        (&[("manifest", b"{}"), ("_routes.json", routes)], 8_100_008, "does not begin with /"),
        (&[("manifest", b"{}"), ("_worker.bundle", b"x")], 8_100_007, "no boundary"),
        (&[("manifest", b"{}"), ("_worker.bundle", b"x"), ("_worker.js", b"x")], 8_000_006, "together"),
        (&[("manifest", b"{}"), ("manifest", b"{}")], 8_100_009, "more than once"),
        (&[("manifest", b"{}"), ("commit_dirty", b"perhaps")], 8_000_006, "commit_dirty"),
    ];
    for (parts, code, text) in cases {
        let answer = send(&api, parts).await;
        assert_eq!(answer.refusal(), (400, code), "{}", answer.message());
        assert!(answer.message().contains(text), "{}", answer.message());
    }
    assert_none_stored(&api).await;
}

#[tokio::test]
async fn assets_that_were_not_uploaded_are_named() {
    let api = Api::start().await;
    api.project("demo").await;
    let manifest = json!({"/index.html": key("/index.html", "x"), "/b.css": key("/b.css", "y")}).to_string();
    let answer = send(&api, &[("manifest", manifest.as_bytes())]).await;
    assert_eq!(answer.refusal(), (400, 8_100_004));
    assert!(
        answer.message().contains("2 assets") && answer.message().contains("/index.html"),
        "{}",
        answer.message()
    );
    assert_none_stored(&api).await;
}

#[tokio::test]
async fn a_key_that_is_not_its_contents_is_refused() {
    let api = Api::start().await;
    api.project("demo").await;
    let mut item = crate::harness::upload_item("/index.html", "x");
    item["key"] = json!("e5e943f01929441dfbb0d4956a759fda");
    api.writer().post("/pages/assets/upload", &json!([item])).await.ok();
    let answer = send(&api, &[("manifest", br#"{"/index.html":"e5e943f01929441dfbb0d4956a759fda"}"#)]).await;
    assert_eq!(answer.refusal(), (400, 8_100_005));
    assert!(answer.message().contains("/index.html"), "{}", answer.message());
    assert_none_stored(&api).await;
}

#[tokio::test]
async fn limits_are_kept() {
    let limits =
        Limits { files_max: 2, manifest_bytes_max: 1000, worker_bytes_max: 1000, ..Limits::default() };
    let api = Api::with_limits(limits).await;
    api.project("demo").await;
    let three = br#"{"/a":"k","/b":"k","/c":"k"}"#;
    assert_eq!(send(&api, &[("manifest", three)]).await.refusal(), (400, 8_100_003));
    let long = [b' '; 1001];
    assert_eq!(send(&api, &[("manifest", &long)]).await.refusal(), (413, 8_100_001));
    assert_eq!(
        send(&api, &[("manifest", b"{}"), ("_worker.bundle", &long)]).await.refusal(),
        (413, 8_100_001)
    );
    let unknown = vec![b'x'; 1024 * 1024 + 1];
    assert_eq!(send(&api, &[("manifest", b"{}"), ("unknown", &unknown)]).await.refusal(), (413, 8_100_001));
    let few: Vec<(&str, &[u8])> = vec![("x", b"y"); 10];
    let with_manifest = [few.as_slice(), &[("manifest", b"{}")]].concat();
    send(&api, &with_manifest).await.ok();
    let many: Vec<(&str, &[u8])> = vec![("x", b"y"); 5000];
    let answer = send(&api, &many).await;
    assert_eq!(answer.refusal(), (400, 8_100_009));
    assert!(answer.message().contains("more than 64 parts"), "{}", answer.message());
}

#[tokio::test]
async fn truncated_forms_are_refused_wherever_they_end() {
    let api = Api::start().await;
    api.project("demo").await;
    let whole = form(&[("branch", b"main"), ("manifest", b"{}")]);
    for end in 0..whole.len() - 4 {
        let answer = api.writer().send_form(&deployments("demo"), whole[..end].to_vec()).await;
        assert_eq!(answer.refusal(), (400, 8_100_009), "cut at {end}: {}", answer.json);
    }
    assert_none_stored(&api).await;
    for kind in
        ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=other"]
    {
        let body = Body::from(whole.clone());
        let answer = api.writer().send(Method::POST, &deployments("demo"), Some(kind), body).await;
        assert_eq!(answer.refusal(), (400, 8_100_009), "{kind}");
    }
}

/// A manifest of 100 000 files has some 10 MB, in a form field.
#[tokio::test]
async fn a_manifest_of_ten_megabytes_is_read() {
    let api = Api::with_limits(Limits { files_max: 100_000, ..Limits::default() }).await;
    api.project("demo").await;
    api.upload("demo", &[("/x.html", "x")]).await;
    let key = key("/x.html", "x");
    let files =
        (0..100_000).map(|n| (format!("/a-rather-long-directory-name/and-another-one/{n}.html"), json!(key)));
    let manifest = Value::Object(files.collect()).to_string();
    assert!(manifest.len() > 9_000_000, "{}", manifest.len());
    send(&api, &[("manifest", manifest.as_bytes())]).await.ok();
}

#[tokio::test]
async fn the_captured_forms_of_wrangler_are_accepted() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/samples/wrangler-deploy");
    let mut count = 0;
    for folder in std::fs::read_dir(samples).unwrap() {
        let folder = folder.unwrap().path();
        let Ok(body) = std::fs::read(folder.join("deployment-create.body")) else { continue };
        let headers = std::fs::read_to_string(folder.join("deployment-create.headers.txt")).unwrap();
        let kind = headers.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap();
        let api = Api::start().await;
        api.project("demo").await;
        let texts = [
            ("/index.html", "<!doctype html><title>static index</title><h1>static index</h1>\n"),
            ("/about.txt", "static about\n"),
        ];
        api.upload("demo", &texts).await;
        let answer =
            api.writer().send(Method::POST, &deployments("demo"), Some(kind), Body::from(body)).await;
        let made = answer.result();
        let static_only = folder.ends_with("static-only");
        assert_eq!(made["uses_functions"], !static_only, "{}", folder.display());
        count += 1;
    }
    assert!(count >= 7, "{count} samples");
}

#[tokio::test]
async fn a_configuration_file_becomes_the_projects_configuration() {
    let api = Api::start().await;
    api.project("demo").await;
    let secret = json!({"deployment_configs": {"production": {"env_vars": {"S": {"type": "secret_text", "value": "s"}}}}});
    api.writer().patch("/accounts/{a}/pages/projects/demo", &secret).await.ok();
    let bundle = b"--b\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{\"main_module\":\"m.js\",\
        \"compatibility_date\":\"2026-01-15\",\"bindings\":[{\"name\":\"V\",\"type\":\"plain_text\",\"text\":\"1\"}]}\r\n\
        --b\r\nContent-Disposition: form-data; name=\"m.js\"; filename=\"m.js\"\r\n\r\nexport default {}\r\n--b--\r\n";
    let parts: [(&str, &[u8]); 4] = [
        ("manifest", b"{}"),
        ("wrangler_config_hash", b"abc"),
        ("pages_build_output_dir", b"dist"),
        ("_worker.bundle", bundle),
    ];
    let made = send(&api, &parts).await.result();
    assert_eq!((&made["uses_functions"], &made["usage_model"]), (&json!(true), &json!("bundled")));
    let project = api.writer().get("/accounts/{a}/pages/projects/demo").await.result();
    let production = &project["deployment_configs"]["production"];
    assert_eq!(
        production["env_vars"],
        json!({"S": {"type": "secret_text", "value": ""}, "V": {"type": "plain_text", "value": "1"}})
    );
    assert_eq!(
        (&production["compatibility_date"], &production["wrangler_config_hash"]),
        (&json!("2026-01-15"), &json!("abc"))
    );
    assert_eq!(project["build_config"]["destination_dir"], "dist");
    assert_eq!(project["deployment_configs"]["preview"]["wrangler_config_hash"], json!(null));
}
