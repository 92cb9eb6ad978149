//! The same behaviours on PostgreSQL, and what only a server can do: be away.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use offprint_store::{CannotOpen, PostgresUrl, Store, StoreError, StoreOptions};
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};

use crate::support::cluster::Cluster;
use crate::support::{DATABASE_SERVER, World, new_project, scope_of};

/// All tests of this binary but those that are about an engine run again, each in a database of its own: in a process
/// below, so that the server ends with them whatever they do.
#[test]
fn every_behaviour_holds_on_postgres() {
    let Some(cluster) = Cluster::start() else { return };
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--skip", "postgres::", "--skip", "migration::"]);
    let output = again.env(DATABASE_SERVER, cluster.url()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("on PostgreSQL: {}", said.lines().rfind(|line| line.starts_with("test result")).unwrap());
}

fn options(dir: &tempfile::TempDir, url: &str) -> StoreOptions {
    StoreOptions { database: Some(PostgresUrl::parse(url).unwrap()), ..StoreOptions::new(dir.path()) }
}

/// Why a store does not open, with all causes.
async fn refusal(options: StoreOptions) -> (CannotOpen, String) {
    match Store::open(options).await {
        Err(StoreError::CannotOpen(why)) => {
            let mut text = why.to_string();
            let mut cause = std::error::Error::source(&why);
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            (why, text)
        }
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it opens"),
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_used_says_why() {
    let Some(cluster) = Cluster::shared() else { return };
    let dir = tempfile::tempdir().unwrap();

    let nowhere = format!("postgres://me:hunter2@/sites?host={}", dir.path().display());
    let (_, why) = refusal(options(&dir, &nowhere)).await;
    assert!(why.starts_with("cannot connect to postgres://me@localhost/sites?host=/"), "{why}");
    assert!(!why.contains("hunter2"));

    let missing = cluster.url().replace("/postgres?", "/missing?");
    let (_, why) = refusal(options(&dir, &missing)).await;
    assert!(why.contains(r#"database "missing" does not exist"#), "{why}");

    let bytes =
        cluster.database_with("TEMPLATE template0 ENCODING SQL_ASCII LOCALE_PROVIDER libc LOCALE 'C'");
    let (why, _) = refusal(options(&dir, &bytes)).await;
    assert!(matches!(why, CannotOpen::Encoding(_)), "{why}");

    let theirs = cluster.database();
    cluster.sql(&theirs, "CREATE ROLE guest LOGIN");
    let (why, text) = refusal(options(&dir, &theirs.replace("postgres@", "guest@"))).await;
    assert!(matches!(why, CannotOpen::NoRights(_)), "{why}");
    assert!(text.contains("permission denied for schema public"), "{text}");
}

#[tokio::test]
async fn who_may_use_the_tables_need_not_make_any() {
    let Some(cluster) = Cluster::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let url = cluster.database();
    drop(Store::open(options(&dir, &url)).await.unwrap());
    cluster.sql(&url, "CREATE ROLE worker LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO worker");
    let store = Store::open(options(&dir, &url.replace("postgres@", "worker@"))).await.unwrap();
    let account = scope_of(&store, "0123456789abcdef0123456789abcdef", "secret").await.unwrap();
    store.create_project(&account, new_project("demo")).await.unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let Some(cluster) = Cluster::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let url = cluster.database();
    drop(Store::open(options(&dir, &url)).await.unwrap());
    cluster.sql(&url, "INSERT INTO schema_migration VALUES (99, 'later', '', 0)");
    assert!(matches!(Store::open(options(&dir, &url)).await, Err(StoreError::NewerStore(99))));
    cluster.sql(
        &url,
        "DELETE FROM schema_migration WHERE version = 99; UPDATE schema_migration SET checksum = ''",
    );
    assert!(matches!(Store::open(options(&dir, &url)).await, Err(StoreError::ChangedMigration(1))));
}

#[tokio::test]
async fn a_directory_and_its_database_stay_together() {
    let Some(cluster) = Cluster::shared() else { return };
    let (dir, url) = (tempfile::tempdir().unwrap(), cluster.database());
    drop(Store::open(options(&dir, &url)).await.unwrap());
    // With another database, or none, collection would take all blobs for strays.
    let (why, _) = refusal(options(&dir, &cluster.database())).await;
    assert!(matches!(why, CannotOpen::OtherDatabase), "{why}");
    let (why, _) = refusal(StoreOptions::new(dir.path())).await;
    assert!(matches!(why, CannotOpen::MetadataIsInPostgres), "{why}");
    assert!(Store::exists(dir.path()));
    let other = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open(options(&other, &url)).await, Err(StoreError::WrongSecretKey)));

    let embedded = tempfile::tempdir().unwrap();
    drop(Store::open(StoreOptions::new(embedded.path())).await.unwrap());
    let (why, _) = refusal(options(&embedded, &cluster.database())).await;
    assert!(matches!(why, CannotOpen::MetadataIsInFile(_)), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_goes_on_when_its_server_was_away() {
    let Some(cluster) = Cluster::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let database = Some(PostgresUrl::parse(&cluster.database()).unwrap());
    let store = Store::open(StoreOptions { database: database.clone(), ..StoreOptions::new(dir.path()) })
        .await
        .unwrap();
    let account = scope_of(&store, "0123456789abcdef0123456789abcdef", "secret").await.unwrap();
    let world = World { dir, database, store, account };
    let project = world.project("demo").await;
    let before = world.deploy(&project, "main", &[("/index.html", "before")]).await;

    // Writers that are under way when the server goes fail; none of them has half of its changes left behind.
    let stop = Arc::new(AtomicBool::new(false));
    let writers = (0..4).map(|n| {
        let (store, account, stop) = (world.store.clone(), world.account.clone(), stop.clone());
        tokio::spawn(async move {
            let (mut made, mut failed) = (Vec::new(), 0);
            for m in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let name = format!("p{n}-{m}");
                match store.create_project(&account, new_project(&name)).await {
                    Ok(_) => made.push(name),
                    Err(StoreError::Database(_)) => {
                        failed += 1;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
            (made, failed)
        })
    });
    let writers: Vec<_> = writers.collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        cluster.crash();
        cluster.restart();
    }
    // The first call afterwards is answered already.
    assert_eq!(world.live(&project).await, Some(before.id));
    stop.store(true, Ordering::Relaxed);
    let mut all_failed = 0;
    for writer in writers {
        let (made, failed) = writer.await.unwrap();
        all_failed += failed;
        assert!(!made.is_empty());
        for name in made {
            world.lookup(&name).await;
        }
    }
    assert!(all_failed > 0, "the server was away");
    let after = world.deploy(&project, "main", &[("/index.html", "after")]).await;
    assert_eq!(world.live(&project).await, Some(after.id));
    world.assert_sound().await;
}

/// Names of columns with a letter for their type, and of indices with what they hold.
const OF_POSTGRES: &str = "SELECT table_name || '.' || column_name || ' ' || CASE data_type
        WHEN 'bigint' THEN 'INTEGER' WHEN 'bytea' THEN 'BLOB' ELSE upper(data_type) END
        || CASE WHEN data_type = 'text' AND collation_name IS DISTINCT FROM 'C' AND table_name <> 'schema_migration'
            THEN ' not compared byte by byte' ELSE '' END
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'index ' || c.relname || ' on ' || t.relname || ' (' || (SELECT string_agg(a.attname, ', ' ORDER BY a.attnum)
        FROM pg_attribute a WHERE a.attrelid = c.oid) || ')'
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
    WHERE t.relnamespace = 'public'::regnamespace AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid)";
const OF_SQLITE: &str = "SELECT t.name || '.' || c.name || ' ' || c.type
    FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'
    UNION ALL SELECT 'index ' || i.name || ' on ' || i.tbl_name || ' ('
        || (SELECT group_concat(c.name, ', ') FROM pragma_index_info(i.name) c) || ')'
    FROM sqlite_schema i WHERE i.type = 'index' AND i.sql IS NOT NULL";

#[tokio::test]
async fn both_engines_have_the_same_tables_and_indices() {
    let Some(cluster) = Cluster::shared() else { return };
    let (dir, url) = (tempfile::tempdir().unwrap(), cluster.database());
    drop(Store::open(options(&dir, &url)).await.unwrap());
    let postgres: BTreeSet<String> = cluster.sql(&url, OF_POSTGRES).lines().map(str::to_owned).collect();

    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(StoreOptions::new(dir.path())).await.unwrap());
    let path = format!("sqlite://{}", dir.path().join("offprint.db").display());
    let db = Database::connect(path).await.unwrap();
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, OF_SQLITE)).await.unwrap();
    let sqlite: BTreeSet<String> = rows.iter().map(|row| row.try_get_by(0).unwrap()).collect();

    let differences: Vec<_> = postgres.symmetric_difference(&sqlite).collect();
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(sqlite.len() > 200);
}
