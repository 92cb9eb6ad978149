//! `wrangler d1 …`

use serde_json::{Value, json};

use crate::support::{Release, TestServer};

async fn a_database_is_made_shown_and_deleted(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    wrangler.run(&["d1", "create", "todos"]).await.says("todos");
    let again = wrangler.try_run(&["d1", "create", "todos"]).await;
    assert!(!again.success);
    again.says("A database with that name already exists");
    let listed = wrangler.run(&["d1", "list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed[0]["name"], "todos");
    let sql = ["d1", "execute", "todos", "--remote", "--command", "CREATE TABLE t (a)"];
    wrangler.run(&sql).await;
    let shown = wrangler.run(&["d1", "info", "todos", "--json"]).await;
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!((&shown["uuid"], &shown["num_tables"]), (&listed[0]["uuid"], &json!(1)));
    assert_eq!(shown["write_queries_24h"], 1);
    assert!(shown["database_size"].as_u64().unwrap() > 4096);
    wrangler.run(&["d1", "delete", "todos", "--skip-confirmation"]).await;
    assert_eq!(wrangler.run(&["d1", "list", "--json"]).await.stdout.trim(), "[]");
    let gone = wrangler.try_run(&sql).await;
    assert!(!gone.success);
    gone.says("Couldn't find");
}

async fn sql_is_run_from_commands_and_files(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    wrangler.run(&["d1", "create", "todos"]).await;
    let execute = async |arguments: &[&str]| {
        wrangler
            .try_run(&[&["d1", "execute", "todos", "--remote", "--json", "--yes"][..], arguments].concat())
            .await
    };
    wrangler.directory.write(
        "schema.sql",
        "-- Two tables; one trigger.\nCREATE TABLE todo (id INTEGER PRIMARY KEY, text TEXT UNIQUE);\nCREATE TABLE log (what);\n\
         CREATE TRIGGER t AFTER INSERT ON todo BEGIN INSERT INTO log VALUES (new.text); END;\n\
         INSERT INTO todo (text) VALUES ('semi;colon'), ('it''s');",
    );
    let ran = execute(&["--file", "schema.sql"]).await;
    assert!(ran.success, "{}", ran.output);
    let ran =
        execute(&["--command", "SELECT text FROM todo ORDER BY id; SELECT count(*) AS n FROM log"]).await;
    let results: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(results[0]["results"], json!([{ "text": "semi;colon" }, { "text": "it's" }]));
    assert_eq!(results[1]["results"], json!([{ "n": 2 }]));
    assert_eq!(results[1]["success"], true);
    for (sql, reason) in [
        ("SELEC 1", "syntax error"),
        (
            "INSERT INTO todo (text) VALUES ('it''s')",
            "UNIQUE constraint failed: todo.text: SQLITE_CONSTRAINT",
        ),
        ("ATTACH 'x' AS y", "not authorized"),
    ] {
        let failed = execute(&["--command", sql]).await;
        assert!(!failed.success, "{sql}");
        failed.says(reason);
    }
    wrangler.directory.write("broken.sql", "INSERT INTO todo (text) VALUES ('never');\nbogus;\n");
    let failed = execute(&["--file", "broken.sql"]).await;
    assert!(!failed.success);
    failed.says("syntax error at offset");
    let ran = execute(&["--command", "SELECT count(*) AS n FROM todo"]).await;
    let results: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(results[0]["results"], json!([{ "n": 2 }]), "nothing of the broken file was run");
}

async fn a_database_is_exported_and_imported_elsewhere(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    for name in ["one", "two"] {
        wrangler.run(&["d1", "create", name]).await;
    }
    let run = async |name: &str, sql: &str| {
        let ran = wrangler.run(&["d1", "execute", name, "--remote", "--json", "--command", sql]).await;
        serde_json::from_str::<Value>(&ran.stdout).unwrap()[0]["results"].clone()
    };
    run("one", "CREATE TABLE t (a, b); INSERT INTO t VALUES (1.5, 'x' || char(10) || 'y'), (NULL, x'00ff')")
        .await;
    let export = ["d1", "export", "one", "--remote", "--output", "dump.sql", "--skip-confirmation"];
    let export = if matches!(release, Release::Pinned) { &export[..6] } else { &export[..] };
    wrangler.run(export).await;
    assert!(wrangler.directory.read("dump.sql").contains("CREATE TABLE t (a, b);"));
    wrangler.run(&["d1", "execute", "two", "--remote", "--yes", "--file", "dump.sql"]).await;
    let all = "SELECT a, b FROM t ORDER BY a";
    assert_eq!(run("two", all).await, run("one", all).await);
    let travel = wrangler.try_run(&["d1", "time-travel", "info", "one"]).await;
    assert!(!travel.success);
    travel.says("keeps no history");
}

async fn migrations_are_applied_once(release: Release) {
    let server = TestServer::start().await;
    let wrangler = wrangler!(release, server);
    wrangler.run(&["d1", "create", "todos"]).await;
    let listed = wrangler.run(&["d1", "list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let config = json!({
        "name": "demo",
        "compatibility_date": "2026-01-01",
        "d1_databases": [{ "binding": "DB", "database_name": "todos", "database_id": listed[0]["uuid"] }],
    });
    wrangler.directory.write("wrangler.json", config.to_string());
    wrangler.directory.write("migrations/0001_first.sql", "CREATE TABLE t (a);");
    wrangler
        .directory
        .write("migrations/0002_second.sql", "ALTER TABLE t ADD COLUMN b; INSERT INTO t VALUES (1, 2);");
    let apply = ["d1", "migrations", "apply", "DB", "--remote"];
    wrangler.run(&apply).await.says("0001_first.sql").says("0002_second.sql");
    wrangler.run(&apply).await.says("No migrations to apply");
    let ran =
        wrangler.run(&["d1", "execute", "DB", "--remote", "--json", "--command", "SELECT a, b FROM t"]).await;
    let results: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(results[0]["results"], json!([{ "a": 1, "b": 2 }]));
}

each_release! {
    a_database_is_made_shown_and_deleted
    sql_is_run_from_commands_and_files
    a_database_is_exported_and_imported_elsewhere
    migrations_are_applied_once
}
