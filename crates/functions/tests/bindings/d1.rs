//! D1.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use offprint_functions::Resource;
use offprint_model::d1::SqlQuery;
use offprint_model::resource::ResourceKind;
use offprint_resources::d1::{D1Error, ResultsOf};
use serde_json::json;

use crate::support::{House, Worker, assert_same, under_miniflare};

async fn database(house: &House) -> (Resource, offprint_store::Resource) {
    let database = house.create(ResourceKind::D1, "one").await;
    let store = house.resources.store();
    let resource = store.resource_by_name(&house.account, ResourceKind::D1, "one").await.unwrap();
    (Resource::D1 { account: house.account.clone(), database }, resource)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_sees_what_it_would_see_elsewhere() {
    let house = House::new().await;
    let (d1, _) = database(&house).await;
    let Some(worker) = Worker::start(&house, "d1.js", &[("DB", d1)]).await else { return };
    let theirs = tokio::task::spawn_blocking(|| under_miniflare("d1.js")).await.unwrap();
    let differs = [
        // The real service has these limits, miniflare does not.
        (
            "SELECT length(zeroblob(3000000)) AS l",
            json!("error: D1_ERROR: string or blob too big: SQLITE_TOOBIG"),
        ),
        (";", json!("error: D1_ERROR: No SQL statements detected.")),
        // What one call sets is no business of the next.
        ("case-sensitive like stays in its call", json!(1)),
        // miniflare loses its database over this.
        (
            "deferred and never made",
            json!(
                "error: D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)"
            ),
        ),
        (
            "SELECT load_extension('x')",
            json!(
                "error: D1_ERROR: not authorized to use function: load_extension at offset 7: SQLITE_ERROR"
            ),
        ),
        ("SELECT soundex('Robert') AS s", worker_soundex()),
    ];
    assert_same(&worker.transcript().await, &theirs, &differs);
}

/// Our SQLite has a function more.
fn worker_soundex() -> serde_json::Value {
    json!({ "success": true, "results": [{ "s": "R163" }], "changes": 0, "last_row_id": 2, "changed_db": false })
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_of_many_writers_are_transactions() {
    let house = House::new().await;
    let (d1, resource) = database(&house).await;
    let Some(worker) = Worker::start(&house, "d1.js", &[("DB", d1)]).await else { return };
    let sql = "CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER);
        INSERT INTO account SELECT value, 100 FROM json_each('[0,1,2,3,4,5,6,7,8,9]')";
    let query = SqlQuery { sql: sql.into(), params: vec![] };
    house.resources.d1().run(&resource, vec![query], ResultsOf::Queries).await.unwrap();
    let sums = join_all((0..60).map(|n| {
        let worker = &worker;
        async move { worker.get(&format!("/transfer?n={n}")).await }
    }));
    assert!(sums.await.iter().all(|sum| sum == "1000"));
}

/// Runs SQL as a Function would.
async fn run(house: &House, resource: &offprint_store::Resource, sql: &str) -> Result<usize, String> {
    let query = SqlQuery { sql: sql.into(), params: vec![] };
    match house.resources.d1().run(resource, vec![query], ResultsOf::Queries).await {
        Ok(results) => Ok(results[0].rows.len()),
        Err(D1Error::Sql(text)) => Err(text),
        Err(D1Error::Contents(error)) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_sql_is_stopped_and_harms_nothing() {
    let house = House::new().await;
    let (_, resource) = database(&house).await;
    run(&house, &resource, "CREATE TABLE t (a); INSERT INTO t VALUES (1)").await.unwrap();
    let endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)";
    for (sql, reason) in [
        (format!("{endless} SELECT max(n) FROM c"), "exceeded its time limit"),
        (format!("{endless} SELECT hex(randomblob(1000)) FROM c"), "larger than 32 MiB"),
        ("SELECT hex(randomblob(2000000))".into(), "too big"),
        (format!("SELECT 1 -- {}", "x".repeat(10_000_000)), "SQLITE_TOOBIG"),
        ("SELECT group_concat(hex(randomblob(1000000))) FROM json_each('[1, 2, 3]')".into(), "too big"),
        (format!("SELECT {}1", "1+".repeat(2000)), "SQLITE_ERROR"),
    ] {
        let refused = run(&house, &resource, &sql).await.unwrap_err();
        assert!(refused.contains(reason), "{refused}");
        assert_eq!(run(&house, &resource, "SELECT * FROM t").await, Ok(1), "after {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_database_does_not_wait_for_another() {
    let house = House::new().await;
    let (_, busy) = database(&house).await;
    house.create(ResourceKind::D1, "two").await;
    let idle =
        house.resources.store().resource_by_name(&house.account, ResourceKind::D1, "two").await.unwrap();
    let endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c";
    let resources = house.resources.clone();
    let started = Instant::now();
    let endless = tokio::spawn(async move {
        let query = SqlQuery { sql: endless.into(), params: vec![] };
        let failed = resources.d1().run(&busy, vec![query], ResultsOf::Queries).await;
        assert!(failed.is_err());
    });
    for _ in 0..20 {
        assert_eq!(run(&house, &idle, "SELECT 1").await, Ok(1));
    }
    assert!(!endless.is_finished() && started.elapsed() < Duration::from_secs(25));
    endless.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_database_is_an_error() {
    let house = House::new().await;
    let (d1, resource) = database(&house).await;
    let Some(worker) = Worker::start(&house, "d1.js", &[("DB", d1)]).await else { return };
    assert_eq!(worker.get("/sql?q=SELECT%201").await, json!([[1]]).to_string());
    house.resources.delete(&house.account, &resource).await.unwrap();
    assert!(worker.get("/sql?q=SELECT%201").await.starts_with("error: "), "it is gone");
}
