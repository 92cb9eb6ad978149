//! Numbered migrations, embedded, each run once in a transaction and remembered with its checksum.
//!
//! Our own forty lines and not a crate: the text differs by engine, and nothing should hide it. A migration
//! that has landed is never edited; its checksum would stop every store that it made from opening.

use crate::clock::Clock;
use crate::db::{Db, Rows, values};
use crate::error::{Result, StoreError};

struct Migration {
    version: u32,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "initial", sql: include_str!("../migrations/sqlite/0001_initial.sql") },
    Migration { version: 2, name: "variants", sql: include_str!("../migrations/sqlite/0002_variants.sql") },
    Migration {
        version: 3,
        name: "predecessors",
        sql: include_str!("../migrations/sqlite/0003_predecessors.sql"),
    },
    Migration { version: 4, name: "builds", sql: include_str!("../migrations/sqlite/0004_builds.sql") },
    Migration { version: 5, name: "deploys", sql: include_str!("../migrations/sqlite/0005_deploys.sql") },
    Migration { version: 6, name: "resources", sql: include_str!("../migrations/sqlite/0006_resources.sql") },
    Migration {
        version: 7,
        name: "ordered_by_time",
        sql: include_str!("../migrations/sqlite/0007_ordered_by_time.sql"),
    },
];

/// Those of the database of objects.
const OBJECT_MIGRATIONS: &[Migration] =
    &[Migration { version: 1, name: "objects", sql: include_str!("../migrations/objects/0001_objects.sql") }];

const CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_migration (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied INTEGER NOT NULL
) STRICT";
const APPLIED: &str = "SELECT version, checksum FROM schema_migration ORDER BY version";
const REMEMBER: &str =
    "INSERT INTO schema_migration (version, name, checksum, applied) VALUES ($1, $2, $3, $4)";

/// Brings the schema up to date. The write lock makes two processes that start at once take turns.
pub(crate) async fn migrate(db: &Db) -> Result<()> {
    bring_up_to_date(db, MIGRATIONS).await
}

/// The same for the database of objects.
pub(crate) async fn migrate_objects(db: &Db) -> Result<()> {
    bring_up_to_date(db, OBJECT_MIGRATIONS).await
}

async fn bring_up_to_date(db: &Db, migrations: &[Migration]) -> Result<()> {
    let tx = db.write("migrate").await?;
    tx.run(CREATE, values![]).await?;
    let mut applied = Vec::new();
    for row in tx.all(APPLIED, values![]).await? {
        applied.push((row.get::<i64>("version")?, row.get::<String>("checksum")?));
    }
    for (version, checksum) in &applied {
        check(migrations, *version, checksum)?;
    }
    for migration in migrations.iter().skip(applied.len()) {
        tx.script(migration.sql).await?;
        let checksum = checksum(migration.sql);
        let values = values![i64::from(migration.version), migration.name, checksum, Clock::now()];
        tx.run(REMEMBER, values).await?;
        tracing::info!(migration.version, migration.name, "migrated the store");
    }
    tx.commit().await
}

fn check(migrations: &[Migration], version: i64, applied: &str) -> Result<()> {
    let number = u32::try_from(version).unwrap_or(u32::MAX);
    let known = migrations.iter().find(|known| known.version == number);
    match known {
        None => Err(StoreError::NewerStore(number)),
        Some(known) if checksum(known.sql) != applied => Err(StoreError::ChangedMigration(number)),
        Some(_) => Ok(()),
    }
}

fn checksum(sql: &str) -> String {
    blake3::hash(sql.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_from_one_without_a_gap() {
        let versions: Vec<u32> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        assert_eq!(versions, (1..=MIGRATIONS.len() as u32).collect::<Vec<_>>());
    }
}
