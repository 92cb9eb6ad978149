//! Lists over HTTP: pages, filters and orders, and every way to ask wrongly. What a filter means is tested in the store.

use serde_json::{Value, json};

use crate::support::{Deploys, Site, TestServer, id};

/// A server with seven deploys of one app, all of which have ended. They go on for a moment after they are live.
async fn seven() -> (TestServer, Deploys) {
    let server = TestServer::start().await;
    let (pages, api) = (server.api(), server.deploys().await);
    pages.create_project("demo").await;
    for n in 0..7 {
        Site::page(&format!("{n}"))
            .branch(if n % 2 == 0 { "main" } else { "feature" })
            .deploy(&pages, "demo")
            .await;
    }
    for deploy in api.get("/deploys").await.ok()["data"].as_array().unwrap() {
        api.ended(&format!("/deploys/{}", id(deploy))).await;
    }
    (server, api)
}

fn query(pairs: &[(&str, String)]) -> String {
    let url = reqwest::Url::parse_with_params("http://host/deploys", pairs).unwrap();
    format!("/deploys?{}", url.query().unwrap())
}

fn numbers(page: &Value) -> Vec<i64> {
    page["data"].as_array().unwrap().iter().map(|row| row["sequenceNumber"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn pages_follow_one_another_in_both_directions() {
    let (_server, api) = seven().await;
    let first = api.get("/deploys?limit=3").await.ok();
    assert_eq!(numbers(&first), [7, 6, 5]);
    assert_eq!(first["pageInfo"]["total"], 7);
    assert_eq!(
        (&first["pageInfo"]["hasNextPage"], &first["pageInfo"]["hasPreviousPage"]),
        (&json!(true), &json!(false))
    );
    let end = first["pageInfo"]["endCursor"].as_str().unwrap();
    let second = api.get(&format!("/deploys?limit=3&after={end}")).await.ok();
    assert_eq!(numbers(&second), [4, 3, 2]);
    let start = second["pageInfo"]["startCursor"].as_str().unwrap();
    let back = api.get(&format!("/deploys?limit=3&before={start}")).await.ok();
    assert_eq!((numbers(&back), &back["pageInfo"]["hasNextPage"]), (vec![7, 6, 5], &json!(true)));
    let ordered = [
        ("filter", json!({ "sequenceNumber": { "gt": 2 }, "app": { "handle": "demo" }, "steps": { "some": { "name": "seal" } } }).to_string()),
        ("orderBy", json!([{ "sequenceNumber": "asc" }]).to_string()),
        ("status", "completed".into()),
    ];
    let found = api.get(&query(&ordered)).await.ok();
    assert_eq!((numbers(&found), &found["pageInfo"]["total"]), (vec![3, 4, 5, 6, 7], &json!(5)));
    let ids = [("ids", format!("{},dep_unknown", first["data"][1]["id"].as_str().unwrap()))];
    assert_eq!(numbers(&api.get(&query(&ids)).await.ok()), [6]);
    let none = api.get("/deploys?entity_id=app_unknown").await.ok();
    assert_eq!(
        (&none["data"], &none["pageInfo"]["total"], &none["pageInfo"]["endCursor"]),
        (&json!([]), &json!(0), &Value::Null)
    );
}

#[tokio::test]
async fn a_list_that_is_asked_for_wrongly_is_refused_with_the_path() {
    let (_server, api) = seven().await;
    let cursor = api.get("/deploys?limit=1").await.ok()["pageInfo"]["endCursor"].as_str().unwrap().to_owned();
    for (pairs, path) in [
        (vec![("limit", "0".to_owned())], "limit"),
        (vec![("limit", "101".into())], "limit"),
        (vec![("limit", "x".into())], "limit"),
        (vec![("after", cursor.clone()), ("before", cursor.clone())], "before"),
        (vec![("after", "nonsense".into())], "after"),
        (vec![("before", cursor.replace(&cursor[..1], "f"))], "before"),
        (vec![("after", cursor.clone()), ("status", "completed".into())], "after"),
        (vec![("before", cursor.clone()), ("orderBy", r#"[{"status":"asc"}]"#.into())], "before"),
        (vec![("status", "done".into())], "status"),
        (vec![("colour", "red".into())], "colour"),
        (vec![("limit", "1".into()), ("limit", "2".into())], "limit"),
        (vec![("ids", vec!["x"; 10_000].join(","))], "ids"),
        (vec![("filter", "{".into())], "filter"),
        (vec![("filter", r#"{"AND":[{"status":{"gt":"x"}}]}"#.into())], "filter.AND[0].status.gt"),
        (vec![("filter", r#"{"id":"x' OR 1=1 --","nope":1}"#.into())], "filter.nope"),
        (
            vec![("orderBy", r#"[{"id; DROP TABLE deploy":"asc"}]"#.into())],
            "orderBy[0].id; DROP TABLE deploy",
        ),
        (vec![("orderBy", r#"[{"id":"sideways"}]"#.into())], "orderBy[0].id"),
    ] {
        assert_eq!(api.get(&query(&pairs)).await.refused(400), path, "{pairs:?}");
    }
    let injected = [("filter", json!({ "error": { "eq": "'; DROP TABLE deploy; --" } }).to_string())];
    assert_eq!(numbers(&api.get(&query(&injected)).await.ok()), [0i64; 0]);
    assert_eq!(api.get("/deploys").await.ok()["pageInfo"]["total"], 7);
}
