//! Databases by REST: statements and their results, hostile SQL, files, and what is not supported.

use serde_json::{Value, json};

use crate::harness::Api;

async fn database(api: &Api) -> String {
    let made = api.writer().post("/accounts/{a}/d1/database", &json!({"name": "data"})).await.result();
    format!("/accounts/{{a}}/d1/database/{}", made["uuid"].as_str().unwrap())
}

async fn rows(api: &Api, database: &str, sql: &str) -> Value {
    api.writer().post(&format!("{database}/query"), &json!({ "sql": sql })).await.result()[0]["results"]
        .clone()
}

#[tokio::test]
async fn every_statement_has_its_result() {
    let api = Api::start().await;
    let database = database(&api).await;
    let sql =
        "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'x;y'); SELECT * FROM t WHERE a = ?";
    let results =
        api.writer().post(&format!("{database}/query"), &json!({"sql": sql, "params": [1]})).await.result();
    assert_eq!(results.as_array().unwrap().len(), 3);
    assert_eq!(results[2]["results"], json!([{"a": 1, "b": "x;y"}]));
    assert_eq!((&results[1]["success"], &results[1]["meta"]["changes"]), (&json!(true), &json!(1)));
    let raw = json!({"sql": "SELECT a, a, b FROM t"});
    let raw = api.writer().post(&format!("{database}/raw"), &raw).await.result();
    assert_eq!(raw[0]["results"], json!({"columns": ["a", "a", "b"], "rows": [[1, 1, "x;y"]]}));
    let batch = json!({"batch": [{"sql": "INSERT INTO t VALUES (?, ?)", "params": [2, "z"]}, {"sql": "SELECT 1 AS n"}]});
    let batch = api.writer().post(&format!("{database}/query"), &batch).await.result();
    assert_eq!(batch[1]["results"], json!([{"n": 1}]));
    let shown = api.reader().get(&database).await.result();
    assert_eq!((&shown["num_tables"], &shown["name"]), (&json!(1), &json!("data")));
}

#[tokio::test]
async fn what_fails_changes_nothing() {
    let api = Api::start().await;
    let database = database(&api).await;
    rows(&api, &database, "CREATE TABLE t (a INTEGER UNIQUE)").await;
    for sql in ["INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1); nonsense"] {
        let refused = api.writer().post(&format!("{database}/query"), &json!({ "sql": sql })).await;
        assert_eq!(refused.refusal(), (400, 7500), "{}", refused.json);
    }
    assert_eq!(rows(&api, &database, "SELECT count(*) AS n FROM t").await, json!([{"n": 0}]));
}

#[tokio::test]
async fn hostile_sql_reaches_nothing() {
    let api = Api::start().await;
    let database = database(&api).await;
    let long = format!("SELECT '{}'", "x".repeat(10 << 20));
    for sql in [
        "ATTACH DATABASE '/tmp/other.db' AS other",
        "VACUUM INTO '/tmp/other.db'",
        "SELECT load_extension('/lib/x.so')",
        "PRAGMA writable_schema = ON",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA wal_checkpoint",
        "PRAGMA temp_store_directory = '/tmp'",
        "UPDATE sqlite_master SET sql = 'x'",
        "BEGIN",
        "COMMIT; DROP TABLE t",
        "CREATE TABLE _cf_x (a)",
        "SELECT zeroblob(1000000000)",
        "SELECT replace(hex(zeroblob(1000000)), '0', 'xxxxxxxxxx')",
        &long,
        "",
        "-- nothing",
    ] {
        let refused = api.writer().post(&format!("{database}/query"), &json!({ "sql": sql })).await;
        assert_eq!(refused.status, 400, "{}: {}", sql.get(..80).unwrap_or(sql), refused.json);
    }
    for body in [
        json!({}),
        json!({"sql": 1}),
        json!({"sql": "SELECT ?", "params": [{}]}),
        json!({"batch": []}),
        json!([]),
    ] {
        let refused = api.writer().post(&format!("{database}/query"), &body).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.json);
    }
    assert_eq!(rows(&api, &database, "SELECT 1 AS n").await, json!([{"n": 1}]));
}

#[tokio::test]
async fn a_database_is_found_by_its_account_alone() {
    let api = Api::start().await;
    let database = database(&api).await;
    let refused = api.reader().post(&format!("{database}/query"), &json!({"sql": "SELECT 1"})).await;
    assert_eq!(refused.status, 403);
    let other = database.replace("{a}", "ffffffffffffffffffffffffffffffff");
    assert_eq!(api.writer().get(&other).await.status, 403);
    api.writer().delete(&database).await.ok();
    assert_eq!(api.reader().get(&database).await.refusal(), (404, 7404));
    let none = "/accounts/{a}/d1/database/not-a-uuid";
    assert_eq!(api.reader().get(none).await.status, 404);
}

#[tokio::test]
async fn time_travel_says_that_it_is_not_supported() {
    let api = Api::start().await;
    let database = database(&api).await;
    let asked = api.reader().get(&format!("{database}/time_travel/bookmark")).await;
    assert_eq!(asked.status, 501, "{}", asked.json);
    assert!(asked.message().contains("export"), "{}", asked.json);
}
