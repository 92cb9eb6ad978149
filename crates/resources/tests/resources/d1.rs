//! D1: what goes out comes in again.

use std::io::Write as _;

use offprint_model::d1::{SqlQuery, SqlValue};
use offprint_model::resource::ResourceKind;
use offprint_resources::d1::{D1Error, DumpOptions, ResultsOf};
use offprint_store::Resource;
use proptest::prelude::*;

use crate::World;

async fn run(world: &World, database: &Resource, sql: &str, params: Vec<SqlValue>) -> Vec<Vec<SqlValue>> {
    let query = SqlQuery { sql: sql.to_owned(), params };
    world.resources.d1().run(database, vec![query], ResultsOf::Queries).await.unwrap().remove(0).rows
}

async fn export(world: &World, database: &Resource, options: DumpOptions) -> Result<String, D1Error> {
    let mut pieces = world.resources.d1().export(database, options).await.unwrap();
    let mut sql = Vec::new();
    while let Some(piece) = pieces.recv().await {
        sql.extend_from_slice(&piece?);
    }
    Ok(String::from_utf8(sql).unwrap())
}

async fn import(world: &World, database: &Resource, sql: &str) -> Result<u64, String> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(sql.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    match world.resources.d1().import(database, file).await {
        Ok(imported) => Ok(imported.queries),
        Err(D1Error::Sql(text)) => Err(text),
        Err(D1Error::Contents(error)) => panic!("{error}"),
    }
}

fn value() -> impl Strategy<Value = SqlValue> {
    prop_oneof![
        Just(SqlValue::Null),
        any::<i64>().prop_map(SqlValue::Integer),
        // Beyond, SQLite reads some numbers to the last bit but one.
        (any::<bool>(), 1.0_f64..10.0, -50..50).prop_map(|(minus, digits, exponent)| {
            let real = digits * 10_f64.powi(exponent);
            SqlValue::Real(if minus { -real } else { real })
        }),
        prop_oneof![Just(0.0), Just(f64::INFINITY), Just(f64::NEG_INFINITY), -1.0..1.0]
            .prop_map(SqlValue::Real),
        "[a'\"\n\r\u{0};ü-]{0,20}".prop_map(SqlValue::Text),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(SqlValue::Blob),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_export_makes_the_same_again(values in prop::collection::vec(value(), 0..20)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let (one, two) = (world.create(ResourceKind::D1, "one").await, world.create(ResourceKind::D1, "two").await);
            run(&world, &one, "CREATE TABLE \"t;'x\" (id INTEGER PRIMARY KEY AUTOINCREMENT, \"v \"\"w\" BLOB)", vec![]).await;
            run(&world, &one, "CREATE INDEX i ON \"t;'x\" (id) WHERE id > 1", vec![]).await;
            run(&world, &one, "CREATE VIEW v AS SELECT count(*) AS n FROM \"t;'x\"", vec![]).await;
            for value in &values {
                run(&world, &one, "INSERT INTO \"t;'x\" (\"v \"\"w\") VALUES (?)", vec![value.clone()]).await;
            }
            let sql = export(&world, &one, DumpOptions::default()).await.unwrap();
            import(&world, &two, &sql).await.unwrap();
            let all = "SELECT id, typeof(\"v \"\"w\"), \"v \"\"w\" FROM \"t;'x\" ORDER BY id";
            assert_eq!(run(&world, &two, all, vec![]).await, run(&world, &one, all, vec![]).await);
            assert_eq!(export(&world, &two, DumpOptions::default()).await.unwrap(), sql);
        });
    }
}

#[tokio::test]
async fn an_import_happens_or_does_not() {
    let world = World::new().await;
    let database = world.create(ResourceKind::D1, "one").await;
    let failed = import(&world, &database, "CREATE TABLE t (a);\nINSERT INTO t VALUES (1);\nbogus;").await;
    assert_eq!(failed.unwrap_err(), "near \"bogus\": syntax error at offset 1: SQLITE_ERROR (statement 3)");
    let tables = "SELECT count(*) FROM sqlite_schema";
    assert_eq!(run(&world, &database, tables, vec![]).await, [[SqlValue::Integer(0)]]);
    for (sql, reason) in [
        ("", "No SQL statements detected."),
        ("-- nothing", "No SQL statements detected."),
        ("BEGIN; CREATE TABLE t (a); COMMIT;", "Transactions are not begun"),
        ("ATTACH '/etc/passwd' AS p;", "not authorized"),
        ("PRAGMA writable_schema = ON;", "not authorized"),
    ] {
        let refused = import(&world, &database, sql).await.unwrap_err();
        assert!(refused.contains(reason), "{sql}: {refused}");
    }
    let endless = format!("SELECT '{}", "x".repeat(6_000_000));
    assert!(import(&world, &database, &endless).await.unwrap_err().contains("SQLITE_TOOBIG"));
    let many: String = (0..20_000).map(|n| format!("INSERT INTO t VALUES ({n}); -- {n}\n")).collect();
    assert_eq!(import(&world, &database, &format!("CREATE TABLE t (a);\n{many}")).await, Ok(20_001));
    let sum = run(&world, &database, "SELECT sum(a) FROM t", vec![]).await;
    assert_eq!(sum, [[SqlValue::Integer(199_990_000)]]);
}

#[tokio::test]
async fn a_part_of_a_database_is_exported() {
    let world = World::new().await;
    let database = world.create(ResourceKind::D1, "one").await;
    run(
        &world,
        &database,
        "CREATE TABLE a (x); CREATE TABLE b (y); INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)",
        vec![],
    )
    .await;
    let only = |tables: &[&str], no_schema, no_data| DumpOptions {
        tables: tables.iter().map(|table| (*table).to_owned()).collect(),
        no_schema,
        no_data,
    };
    let head = "PRAGMA defer_foreign_keys=TRUE;\n";
    for (options, expected) in [
        (only(&["b"], false, false), "CREATE TABLE b (y);\nINSERT INTO \"b\" (\"y\") VALUES(2);\n"),
        (
            only(&[], true, false),
            "INSERT INTO \"a\" (\"x\") VALUES(1);\nINSERT INTO \"b\" (\"y\") VALUES(2);\n",
        ),
        (only(&[], false, true), "CREATE TABLE a (x);\nCREATE TABLE b (y);\n"),
    ] {
        assert_eq!(export(&world, &database, options).await.unwrap(), format!("{head}{expected}"));
    }
    run(&world, &database, "CREATE VIRTUAL TABLE f USING fts5(t)", vec![]).await;
    let refused = export(&world, &database, DumpOptions::default()).await.unwrap_err();
    assert!(refused.to_string().contains("Virtual Tables"), "{refused}");
    assert!(export(&world, &database, only(&["a"], false, false)).await.is_ok());
}
