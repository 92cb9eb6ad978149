//! SQLite: one writer, several readers.
//!
//! In WAL mode SQLite admits one writer beside any number of readers that see a snapshot. A pool of one
//! connection makes writers queue here, in order, instead of failing with "busy"; every writing transaction
//! is `IMMEDIATE`, because one that begins as a reader may be refused when it comes to write.
//! `synchronous=FULL` makes a commit durable before it returns.

use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};

use super::readers::Readers;
use super::{Db, Single};
use crate::error::Result;

/// Connections that read in transactions, and as many that answer single statements; each holds a thread and a page cache
/// of up to 2 MB.
const READERS: u32 = 4;
/// How long a writer waits for another process, such as a collection by hand.
const BUSY: Duration = Duration::from_secs(30);

/// Opens the database in a file, making it when absent.
pub(super) async fn open(path: &Path) -> Result<Db> {
    let writer = connect(path, 1, false).await?;
    let readers = connect(path, READERS, true).await?;
    let pool = readers.get_sqlite_connection_pool().clone();
    // A file does not hang up.
    let single = Single::Sqlite(Readers::new(pool, READERS as usize, Duration::MAX));
    Ok(Db { writer, readers, single })
}

/// Begins a transaction that writes.
pub(super) async fn begin(writer: &DatabaseConnection) -> Result<DatabaseTransaction> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    Ok(writer.begin_with_options(options).await?)
}

async fn connect(path: &Path, connections: u32, read_only: bool) -> Result<DatabaseConnection> {
    let path = path.to_owned();
    let mut options = ConnectOptions::new("sqlite::memory:");
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(BUSY + BUSY)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |_| sqlite_options(&path, read_only));
    Ok(Database::connect(options).await?)
}

fn sqlite_options(path: &Path, read_only: bool) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY)
        .foreign_keys(true)
        // The default of 50 rows makes the two threads of a connection wait for one another.
        .row_buffer_size(1000)
        .pragma("temp_store", "MEMORY");
    if read_only {
        return options.pragma("query_only", "ON");
    }
    options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-8000")
        // A long read can make the log grow; give the disk back afterwards.
        .pragma("journal_size_limit", "67108864")
}
