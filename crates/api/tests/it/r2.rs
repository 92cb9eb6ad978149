//! Buckets and objects by REST.

use serde_json::{Value, json};

use crate::harness::Api;

const BUCKET: &str = "/accounts/{a}/r2/buckets/files";

async fn bucket(api: &Api) {
    api.writer().post("/accounts/{a}/r2/buckets", &json!({"name": "files"})).await.ok();
}

fn object(key: &str) -> String {
    let key = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
    format!("{BUCKET}/objects/{key}")
}

#[tokio::test]
async fn an_object_comes_back_as_it_was_put() {
    let api = Api::start().await;
    bucket(&api).await;
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let longest = "k".repeat(1024);
    for key in ["a/b/../c", "ключ 🗝️", "%2F?#", "...", &longest] {
        let put = api.writer().put(&object(key), "image/png", bytes.clone()).await.result();
        assert_eq!((&put["key"], &put["size"]), (&json!(key), &json!(bytes.len().to_string())), "{put}");
        let read = api.reader().bytes(&object(key), &[]).await;
        assert_eq!((read.status().as_u16(), read.body().len()), (200, bytes.len()), "{key}");
        assert!(read.body()[..] == bytes[..]);
        assert_eq!(read.headers()["content-type"], "image/png");
        assert_eq!(read.headers()["etag"], format!("\"{}\"", put["etag"].as_str().unwrap()).as_str());
    }
    assert_eq!(api.writer().put(&object(&"k".repeat(1025)), "x/y", "x").await.status, 400);
    let part = api.reader().bytes(&object("..."), &[("range", "bytes=4-7")]).await;
    assert_eq!((part.status().as_u16(), &part.body()[..]), (206, &1_u32.to_le_bytes()[..]));
    assert_eq!(part.headers()["content-range"], format!("bytes 4-7/{}", bytes.len()).as_str());
    api.writer().put(&object("empty"), "text/plain", "").await.ok();
    let empty = api.reader().bytes(&object("empty"), &[("range", "bytes=0-")]).await;
    assert!(empty.body().is_empty() && empty.status().is_success(), "{}", empty.status());
}

#[tokio::test]
async fn lists_have_prefixes_and_pages() {
    let api = Api::start().await;
    bucket(&api).await;
    for key in ["a/1", "a/2", "b", "c/d/1", "e"] {
        api.writer().put(&object(key), "text/plain", key.to_owned()).await.ok();
    }
    let page = api.reader().get(&format!("{BUCKET}/objects?delimiter=%2F&per_page=3")).await;
    page.ok();
    let keys = |page: &Value| -> Vec<String> {
        page["result"]
            .as_array()
            .unwrap()
            .iter()
            .map(|object| object["key"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(keys(&page.json), ["b"]);
    assert_eq!(page.json["result_info"]["delimited"], json!(["a/", "c/"]));
    assert_eq!(page.json["result_info"]["is_truncated"], true);
    let cursor = page.json["result_info"]["cursor"].as_str().unwrap();
    let rest = api.reader().get(&format!("{BUCKET}/objects?delimiter=%2F&cursor={cursor}")).await;
    assert_eq!(
        (keys(&rest.json), &rest.json["result_info"]["is_truncated"]),
        (vec!["e".to_owned()], &json!(false))
    );
    for query in ["per_page=0", "per_page=1001", "per_page=x", "cursor=nonsense"] {
        assert_eq!(api.reader().get(&format!("{BUCKET}/objects?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn a_bucket_with_objects_stays() {
    let api = Api::start().await;
    bucket(&api).await;
    assert_eq!(
        api.writer().post("/accounts/{a}/r2/buckets", &json!({"name": "files"})).await.refusal(),
        (409, 10004)
    );
    for name in ["no", "Upper", "-start", "a..b", "../../x"] {
        let refused = api.writer().post("/accounts/{a}/r2/buckets", &json!({ "name": name })).await;
        assert_eq!(refused.status, 400, "{name}");
    }
    api.writer().put(&object("k"), "text/plain", "v").await.ok();
    assert_eq!(api.writer().delete(BUCKET).await.refusal(), (409, 10008));
    api.writer().delete(&object("k")).await.ok();
    assert_eq!(api.reader().get(&object("k")).await.refusal(), (404, 10007));
    api.writer().delete(BUCKET).await.ok();
    assert_eq!(api.reader().get(&object("k")).await.refusal(), (404, 10006));
}

#[tokio::test]
async fn who_may_read_may_not_write() {
    let api = Api::start().await;
    bucket(&api).await;
    assert_eq!(api.reader().put(&object("k"), "text/plain", "v").await.status, 403);
    assert_eq!(api.reader().delete(&object("k")).await.status, 403);
    assert_eq!(api.reader().delete(BUCKET).await.status, 403);
    let other = object("k").replace("{a}", "ffffffffffffffffffffffffffffffff");
    assert_eq!(api.writer().get(&other).await.status, 403);
}
