//! Numbered migrations, embedded, each run once in a transaction and remembered with its checksum.
//!
//! Our own forty lines and not a crate: the text differs by engine, and nothing should hide it. A migration
//! that has landed is never edited; its checksum would stop every store that it made from opening.

use crate::clock::Clock;
use crate::db::{Db, Engine, Rows, lacks_rights, values};
use crate::error::{CannotOpen, Result, StoreError};
use crate::sql;

struct Migration {
    version: u32,
    name: &'static str,
    sql: &'static str,
}

const SQLITE: &[Migration] = &[
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
    Migration {
        version: 8,
        name: "version_builds",
        sql: include_str!("../migrations/sqlite/0008_version_builds.sql"),
    },
];

/// Numbered apart from those of SQLite: the first makes what the first seven make there.
const POSTGRES: &[Migration] = &[
    Migration { version: 1, name: "initial", sql: include_str!("../migrations/postgres/0001_initial.sql") },
    Migration {
        version: 2,
        name: "version_builds",
        sql: include_str!("../migrations/postgres/0002_version_builds.sql"),
    },
];

/// Those of the database of objects.
const OBJECTS: &[Migration] =
    &[Migration { version: 1, name: "objects", sql: include_str!("../migrations/objects/0001_objects.sql") }];

const APPLIED: &str = "SELECT version, checksum FROM schema_migration ORDER BY version";
const REMEMBER: &str =
    "INSERT INTO schema_migration (version, name, checksum, applied) VALUES ($1, $2, $3, $4)";

/// Brings the schema up to date. Two processes that start at once take turns, as all writers do.
pub(crate) async fn migrate(db: &Db) -> Result<()> {
    let migrations = match db.engine() {
        Engine::Sqlite => SQLITE,
        Engine::Postgres => POSTGRES,
    };
    bring_up_to_date(db, migrations).await.map_err(|error| match error {
        StoreError::Database(error) if lacks_rights(&error) => CannotOpen::NoRights(error).into(),
        other => other,
    })
}

/// The same for the database of objects.
pub(crate) async fn migrate_objects(db: &Db) -> Result<()> {
    bring_up_to_date(db, OBJECTS).await
}

async fn bring_up_to_date(db: &Db, migrations: &[Migration]) -> Result<()> {
    let tx = db.write("migrate").await?;
    // Asked first: one who may use the tables need not be allowed to make any.
    if tx.one(sql::HAS_MIGRATIONS.of(tx.engine()), values![]).await?.is_none() {
        tx.run(sql::CREATE_MIGRATIONS.of(tx.engine()), values![]).await?;
    }
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
        for migrations in [SQLITE, POSTGRES, OBJECTS] {
            let versions: Vec<u32> = migrations.iter().map(|migration| migration.version).collect();
            assert_eq!(versions, (1..=migrations.len() as u32).collect::<Vec<_>>());
        }
    }
}
