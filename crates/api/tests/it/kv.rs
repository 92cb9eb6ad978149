//! Pairs of a namespace by REST: keys that are hard to say, limits, pages, and who may ask.

use offprint_model::kv::{KEY_BYTES_MAX, METADATA_BYTES_MAX, VALUE_BYTES_MAX};
use serde_json::{Value, json};

use crate::harness::{Api, Client, form};

const TEXT: &str = "text/plain;charset=UTF-8";

async fn namespace(api: &Api, title: &str) -> String {
    let made =
        api.writer().post("/accounts/{a}/storage/kv/namespaces", &json!({ "title": title })).await.result();
    format!("/accounts/{{a}}/storage/kv/namespaces/{}", made["id"].as_str().unwrap())
}

fn value(namespace: &str, key: &str) -> String {
    let key = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
    format!("{namespace}/values/{key}")
}

async fn names(client: &Client<'_>, path: &str) -> Vec<String> {
    let listed = client.get(path).await.result();
    listed.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn keys_may_hold_anything() {
    let api = Api::start().await;
    let namespace = namespace(&api, "keys").await;
    let longest = "k".repeat(KEY_BYTES_MAX);
    let keys = [
        "a/b/../c",
        "...",
        "%2F",
        "%",
        "a b+c",
        "?q=1#x",
        "\u{0}",
        "\n",
        "'; DROP TABLE entry; --",
        "ключ",
        "🗝️",
        "//",
        "\\",
        "*",
        &longest,
    ];
    for key in keys {
        api.writer().put(&value(&namespace, key), TEXT, key.to_owned()).await.ok();
    }
    for key in keys {
        let read = api.reader().bytes(&value(&namespace, key), &[]).await;
        assert_eq!((read.status().as_u16(), &read.body()[..]), (200, key.as_bytes()), "{key:?}");
    }
    let mut sorted = keys.map(str::to_owned).to_vec();
    sorted.sort_unstable();
    assert_eq!(names(&api.reader(), &format!("{namespace}/keys")).await, sorted);
    for key in keys {
        api.writer().delete(&value(&namespace, key)).await.ok();
        assert_eq!(api.reader().get(&value(&namespace, key)).await.refusal(), (404, 10009), "{key:?}");
    }
}

#[tokio::test]
async fn what_is_beyond_the_limits_is_refused() {
    let api = Api::start().await;
    let namespace = namespace(&api, "limits").await;
    for key in [".", "..", &"k".repeat(KEY_BYTES_MAX + 1), &"é".repeat(KEY_BYTES_MAX / 2 + 1)] {
        let refused = api.writer().put(&value(&namespace, key), TEXT, "x").await;
        assert_eq!(refused.status, 400, "{key}: {}", refused.json);
    }
    let too_long = vec![0; VALUE_BYTES_MAX + 1];
    assert_eq!(api.writer().put(&value(&namespace, "long"), TEXT, too_long.clone()).await.status, 413);
    let of_form = form(&[("value", &too_long), ("metadata", b"{}")]);
    let kind = "multipart/form-data; boundary=XX";
    assert_eq!(api.writer().put(&value(&namespace, "long"), kind, of_form).await.status, 413);
    api.writer().put(&value(&namespace, "long"), TEXT, too_long[1..].to_vec()).await.ok();
    let metadata = json!("m".repeat(METADATA_BYTES_MAX)).to_string();
    for metadata in [metadata.as_str(), "not JSON", "{"] {
        let of_form = form(&[("value", b"x"), ("metadata", metadata.as_bytes())]);
        assert_eq!(api.writer().put(&value(&namespace, "m"), kind, of_form).await.status, 400, "{metadata}");
    }
    for query in [
        "expiration_ttl=59",
        "expiration_ttl=-1",
        "expiration_ttl=soon",
        "expiration=1",
        "expiration_ttl=1e9",
    ] {
        let path = format!("{}?{query}", value(&namespace, "t"));
        assert_eq!(api.writer().put(&path, TEXT, "x").await.status, 400, "{query}");
    }
    assert_eq!(names(&api.reader(), &format!("{namespace}/keys")).await, ["long"]);
}

#[tokio::test]
async fn a_pair_has_metadata_and_an_end() {
    let api = Api::start().await;
    let namespace = namespace(&api, "metadata").await;
    let of_form = form(&[("value", b"\x00\xff"), ("metadata", br#"{"a":[1,"\u00e9"]}"#)]);
    let path = format!("{}?expiration_ttl=3600", value(&namespace, "k"));
    api.writer().put(&path, "multipart/form-data; boundary=XX", of_form).await.ok();
    let read = api.reader().bytes(&value(&namespace, "k"), &[]).await;
    assert_eq!(&read.body()[..], b"\x00\xff");
    let ends: u64 = read.headers()["expiration"].to_str().unwrap().parse().unwrap();
    let metadata = api.reader().get(&format!("{namespace}/metadata/k")).await.result();
    assert_eq!(metadata, json!({"a": [1, "é"]}));
    let listed = api.reader().get(&format!("{namespace}/keys")).await.result();
    assert_eq!(listed, json!([{"name": "k", "expiration": ends, "metadata": {"a": [1, "é"]}}]));
    // A value of its own has neither.
    api.writer().put(&value(&namespace, "k"), TEXT, "").await.ok();
    let listed = api.reader().get(&format!("{namespace}/keys")).await.result();
    assert_eq!(listed, json!([{"name": "k"}]));
    assert_eq!(api.reader().get(&format!("{namespace}/metadata/k")).await.result(), Value::Null);
}

#[tokio::test]
async fn pages_go_on_where_the_last_ended() {
    let api = Api::start().await;
    let namespace = namespace(&api, "pages").await;
    let pairs: Vec<_> = (0..25).map(|n| json!({"key": format!("p/{n:02}"), "value": "v"})).collect();
    api.writer()
        .send(
            http::Method::PUT,
            &format!("{namespace}/bulk"),
            Some("application/json"),
            json!(pairs).to_string().into(),
        )
        .await
        .ok();
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let path = format!("{namespace}/keys?prefix=p%2F&limit=10{cursor}");
        let page = api.reader().get(&path).await;
        page.ok();
        let keys = page.json["result"].as_array().unwrap();
        seen.extend(keys.iter().map(|key| key["name"].as_str().unwrap().to_owned()));
        assert_eq!(page.json["result_info"]["count"], keys.len());
        match page.json["result_info"]["cursor"].as_str().unwrap() {
            "" => break,
            next => cursor = format!("&cursor={next}"),
        }
    }
    assert_eq!(seen, (0..25).map(|n| format!("p/{n:02}")).collect::<Vec<_>>());
    for query in ["limit=0", "limit=1001", "limit=x", "cursor=%25"] {
        let page = api.reader().get(&format!("{namespace}/keys?{query}")).await;
        assert_eq!(page.status, 400, "{query}: {}", page.json);
    }
}

#[tokio::test]
async fn a_bulk_put_is_all_or_nothing() {
    let api = Api::start().await;
    let namespace = namespace(&api, "bulk").await;
    let bulk = format!("{namespace}/bulk");
    let put = async |pairs: &Value| api.writer().put(&bulk, "application/json", pairs.to_string()).await;
    for bad in [
        json!([{"key": "a", "value": "1"}, {"key": "", "value": "2"}]),
        json!([{"key": "a", "value": "1"}, {"key": "b"}]),
        json!([{"key": "a", "value": "1"}, {"key": "b", "value": "%%%", "base64": true}]),
        json!([{"key": "a", "value": "1"}, {"key": "b", "value": "2", "expiration_ttl": 1}]),
        json!({"key": "a", "value": "1"}),
    ] {
        assert_eq!(put(&bad).await.status, 400, "{bad}");
    }
    assert!(names(&api.reader(), &format!("{namespace}/keys")).await.is_empty());
    let good = json!([{"key": "a", "value": "AP8=", "base64": true}, {"key": "b", "value": "2", "metadata": {"x": 1}}]);
    assert_eq!(put(&good).await.result()["successful_key_count"], 2);
    assert_eq!(&api.reader().bytes(&value(&namespace, "a"), &[]).await.body()[..], b"\x00\xff");
    let got = json!({"keys": ["b", "none"], "withMetadata": true});
    let got = api.reader().post(&format!("{bulk}/get"), &got).await.result();
    assert_eq!(got, json!({"values": {"b": {"value": "2", "metadata": {"x": 1}}, "none": null}}));
    api.writer().post(&format!("{bulk}/delete"), &json!(["a", "none"])).await.ok();
    assert_eq!(names(&api.reader(), &format!("{namespace}/keys")).await, ["b"]);
}

#[tokio::test]
async fn a_title_belongs_to_one_namespace() {
    let api = Api::start().await;
    let one = namespace(&api, "one").await;
    let two = namespace(&api, "two").await;
    let namespaces = "/accounts/{a}/storage/kv/namespaces";
    assert_eq!(api.writer().post(namespaces, &json!({"title": "one"})).await.refusal(), (400, 10014));
    assert_eq!(
        api.writer().put(&two, "application/json", r#"{"title":"one"}"#).await.refusal(),
        (400, 10014)
    );
    api.writer().put(&two, "application/json", r#"{"title":"three"}"#).await.ok();
    assert_eq!(api.reader().get(&two).await.result()["title"], "three");
    api.writer().put(&value(&one, "k"), TEXT, "v").await.ok();
    api.writer().delete(&one).await.ok();
    assert_eq!(api.reader().get(&value(&one, "k")).await.refusal(), (404, 10013));
    assert_eq!(api.writer().delete(&one).await.refusal(), (404, 10013));
    // A new one of the same title is another.
    let again = namespace(&api, "one").await;
    assert_eq!(api.reader().get(&value(&again, "k")).await.refusal(), (404, 10009));
}

#[tokio::test]
async fn who_may_read_may_not_write() {
    let api = Api::start().await;
    let namespace = namespace(&api, "scopes").await;
    for refused in [
        api.reader().put(&value(&namespace, "k"), TEXT, "v").await,
        api.reader().delete(&value(&namespace, "k")).await,
        api.reader().put(&format!("{namespace}/bulk"), "application/json", "[]").await,
        api.reader().post(&format!("{namespace}/bulk/delete"), &json!(["k"])).await,
        api.reader().delete(&namespace).await,
    ] {
        assert_eq!(refused.status, 403, "{}", refused.json);
    }
    let other = namespace.replace("{a}", "ffffffffffffffffffffffffffffffff");
    assert_eq!(api.writer().get(&format!("{other}/keys")).await.status, 403);
}
