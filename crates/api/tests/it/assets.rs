//! The asset calls: who may, what is missing, what is stored, and what is refused.

use axum::body::Body;
use axum::http::Method;
use offprint_api::Limits;
use serde_json::{Value, json};

use crate::harness::{Api, key, upload_item};

#[tokio::test]
async fn what_was_uploaded_is_no_longer_missing() {
    let api = Api::start().await;
    api.project("demo").await;
    let client = api.bearer(&api.upload_token("demo").await);
    let keys = [key("a.html", "a"), key("b.html", "b")];
    let hashes = json!({"hashes": [keys[0], keys[1], keys[0]]});
    let missing = client.post("/pages/assets/check-missing", &hashes).await.result();
    assert_eq!(missing, json!(keys));
    let uploaded = client.post("/pages/assets/upload", &json!([upload_item("a.html", "a")])).await.result();
    assert_eq!(uploaded, json!({"successful_key_count": 1, "unsuccessful_keys": []}));
    // Equal files are sent twice, and clients send again: storing is idempotent.
    client
        .post("/pages/assets/upload", &json!([upload_item("a.html", "a"), upload_item("a.html", "a")]))
        .await
        .ok();
    let missing = client.post("/pages/assets/check-missing", &hashes).await.result();
    assert_eq!(missing, json!([keys[1]]));
    assert_eq!(client.post("/pages/assets/upsert-hashes", &hashes).await.result(), Value::Null);
}

#[tokio::test]
async fn an_api_token_is_as_good_as_an_upload_token() {
    let api = Api::start().await;
    let missing = api.writer().post("/pages/assets/check-missing", &json!({"hashes": ["k"]})).await;
    assert_eq!(missing.result(), json!(["k"]));
}

#[tokio::test]
async fn bad_upload_tokens_have_8000013() {
    let api = Api::start().await;
    api.project("demo").await;
    let token = api.upload_token("demo").await;
    let other_server = Api::start().await;
    other_server.project("demo").await;
    let foreign = other_server.upload_token("demo").await;
    for bad in [foreign.as_str(), "a.b.c", &token[..token.len() - 2], &format!("{token}x")] {
        let answer = api.bearer(bad).post("/pages/assets/check-missing", &json!({"hashes": []})).await;
        assert_eq!(answer.refusal(), (401, 8_000_013), "{bad}");
    }
    api.writer().delete("/accounts/{a}/pages/projects/demo").await.ok();
    api.project("demo").await;
    let answer = api.bearer(&token).post("/pages/assets/check-missing", &json!({"hashes": []})).await;
    assert_eq!(answer.refusal(), (401, 8_000_013), "the project of the token was deleted");
}

#[tokio::test]
async fn an_upload_token_opens_nothing_else() {
    let api = Api::start().await;
    api.project("demo").await;
    let client = api.bearer(&api.upload_token("demo").await);
    assert_eq!(client.get("/accounts/{a}/pages/projects/demo").await.refusal(), (401, 10000));
    assert_eq!(client.get("/user").await.refusal(), (401, 10000));
}

#[tokio::test]
async fn bad_uploads_name_the_asset_and_store_nothing() {
    let limits =
        Limits { file_bytes_max: 100, files_max: 2, upload_body_bytes_max: 10_000, ..Limits::default() };
    let api = Api::with_limits(limits).await;
    let good = upload_item("a.html", "a");
    let broken = |member: &str, value: Value| {
        let mut item = upload_item("b.html", "b");
        item[member] = value;
        item
    };
    for (body, expected, text) in [
        (json!([good, broken("value", json!("*"))]), (400, 8_000_006), "[1].value is not base64"),
        (json!([good, broken("key", json!("k k"))]), (400, 8_000_006), "[1].key is not valid"),
        (json!([good, broken("base64", json!("yes"))]), (400, 8_000_006), "[1] is not valid: invalid type"),
        (json!([good, {}]), (400, 8_000_006), "missing field `key`"),
        (json!([good, upload_item("c", &"c".repeat(101))]), (413, 8_100_002), "101 bytes; 100 is the most"),
        (json!([good, good, good]), (400, 8_000_006), "more than 2 assets"),
        (json!({"key": "k"}), (400, 8_000_006), "expected an array"),
        (json!(["x".repeat(10_000)]), (413, 8_100_001), "10000 bytes at the most"),
    ] {
        let answer = api.writer().post("/pages/assets/upload", &body).await;
        assert_eq!(answer.refusal(), expected, "{}", answer.message());
        assert!(answer.message().contains(text), "{}", answer.message());
    }
    let missing =
        api.writer().post("/pages/assets/check-missing", &json!({"hashes": [key("a.html", "a")]})).await;
    assert_eq!(missing.result(), json!([key("a.html", "a")]), "the good one of a bad call was not stored");
}

#[tokio::test]
async fn bad_hashes_are_refused() {
    let api = Api::with_limits(Limits { files_max: 2, ..Limits::default() }).await;
    for (body, text) in [
        (r#"{"hashes":["a","b c"]}"#, "hashes[1] is not valid"),
        (r#"{"hashes":["a","b","c"]}"#, "hashes has more than 2 keys"),
        ("{}", "missing field `hashes`"),
        ("", "EOF"),
    ] {
        for path in ["/pages/assets/check-missing", "/pages/assets/upsert-hashes"] {
            let answer = api.writer().send(Method::POST, path, None, Body::from(body)).await;
            assert_eq!(answer.refusal(), (400, 8_000_006), "{body}");
            assert!(answer.message().contains(text), "{body}: {}", answer.message());
        }
    }
}

/// The largest bodies of wrangler are 56 MB; ours may have 64 MiB.
#[tokio::test]
async fn a_body_of_64_mib_is_taken_and_one_byte_more_is_not() {
    const MIB: usize = 1024 * 1024;
    let api = Api::start().await;
    let files: Vec<Vec<u8>> = (0..2).map(|n| vec![n; 22 * MIB]).collect();
    let items: Vec<Value> = files
        .iter()
        .map(|bytes| {
            let key = offprint_model::asset::KeyHasher::of_bytes(bytes).key("bin").to_string();
            let value = base64_simd::STANDARD.encode_to_string(bytes);
            json!({"key": key, "value": value, "metadata": {"contentType": "application/octet-stream"}, "base64": true})
        })
        .collect();
    let mut body = json!(items).to_string();
    body.push_str(&" ".repeat(64 * MIB - body.len()));
    let send = async |body: String| {
        api.writer().send(Method::POST, "/pages/assets/upload", None, Body::from(body)).await
    };
    let longer = format!("{body} ");
    assert_eq!(send(body).await.result()["successful_key_count"], 2);
    assert_eq!(send(longer).await.refusal(), (413, 8_100_001));
}
