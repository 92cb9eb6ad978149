//! PostgreSQL: the same one writer, among all processes that use the database.
//!
//! A writing transaction first takes a lock of the database that it holds to its end, so all that is reasoned for
//! SQLite holds here: what a transaction has read is still so when it commits, whoever else writes. Within a process
//! writers queue at a pool of one connection, in order; the lock is for other processes. What lost: `SERIALIZABLE`
//! and retries, which would ask of every operation that it can be begun again, for a rate of commits that no
//! deployment needs. Readers see one state for each transaction and are never in the way of the writer.
//!
//! A connection is tried before it is used, so calls that begin after the server has been restarted do not notice.
//! One that is under way when the server goes away fails, and has changed nothing.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr,
    SqlxPostgresConnector, Statement, TransactionTrait,
};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::{ConnectOptions, Row};

use super::postgres_url::PostgresUrl;
use super::readers::Readers;
use super::{Db, Single, values};
use crate::error::{CannotOpen, Result};

/// Connections that read in transactions, and as many that answer single statements.
const READERS: u32 = 6;
/// A connection that was used within this time is not tried first: no server can have been restarted meanwhile.
const TRUSTED: Duration = Duration::from_millis(50);
/// Statements that a connection keeps prepared: about as many as there are.
const STATEMENTS: usize = 300;
/// How long the first connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a call waits for a connection: for its turn, or for a server that is being restarted.
const WAIT: Duration = Duration::from_secs(30);
/// The oldest version that the tests run on.
const VERSION_MIN: i32 = 150_000;

/// Settings of every connection. No statement runs for so long that compiling it would pay.
const COMMON: [(&str, &str); 2] = [("jit", "off"), ("tcp_keepalives_idle", "30")];
/// What was committed while a writer waited for its turn, it must see: so each statement sees a state of its own. A writer
/// that hangs must not keep all others waiting for ever. Statements are planned with their values each time: a plan that was
/// made when a table was small would be kept for as long as the table grows.
const WRITER: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_custom_plan"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("lock_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "60s"),
];
/// A transaction that reads sees one state. Plans are kept once the server has seen that they serve other values as well,
/// since making one takes longer than most statements run.
const READER: [(&str, &str); 3] = [
    ("plan_cache_mode", "auto"),
    ("default_transaction_isolation", "repeatable read"),
    ("default_transaction_read_only", "on"),
];

/// Waits for the turn to write, in the name of the number that all processes of ours take, and sees to it that the commit is
/// durable when it returns, whatever the server's default is.
const TAKE_TURN: &str = "SELECT pg_advisory_xact_lock($1)::text,
    CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', true) END";
const TURN: i64 = 0x6f66_6670_7269_6e74;

const ABOUT: &str = "SELECT current_setting('server_version_num')::int4 AS number, current_setting('server_version') AS version,
    current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS standby, current_setting('fsync') = 'on' AS durable";

/// Opens the database that a URL names.
pub(super) async fn open(url: &PostgresUrl) -> Result<Db> {
    check(url).await?;
    let [writer, readers] = [(1, WRITER.as_slice()), (READERS, READER.as_slice())]
        .map(|(connections, settings)| pool(url, connections, settings));
    let single = Single::Postgres(Readers::new(readers.clone(), READERS as usize, TRUSTED));
    let [writer, readers] = [writer, readers].map(SqlxPostgresConnector::from_sqlx_postgres_pool);
    Ok(Db { writer, readers, single })
}

/// Begins a transaction that writes, once it is its turn.
pub(super) async fn begin(writer: &DatabaseConnection) -> Result<DatabaseTransaction> {
    let tx = writer.begin().await?;
    tx.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, TAKE_TURN, values![TURN])).await?;
    Ok(tx)
}

/// Connects when it is first used, and again whenever a connection was lost.
fn pool(url: &PostgresUrl, connections: u32, settings: &[(&str, &str)]) -> PgPool {
    let options = options(url).options(settings.iter().copied());
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WAIT)
        .test_before_acquire(true)
        .connect_lazy_with(options)
}

fn options(url: &PostgresUrl) -> PgConnectOptions {
    let options = url.options().clone().options(COMMON);
    options.statement_cache_capacity(STATEMENTS).disable_statement_logging()
}

/// Says at the start what would else be a riddle later.
async fn check(url: &PostgresUrl) -> Result<(), CannotOpen> {
    let row = match tokio::time::timeout(CONNECT, about(url)).await {
        Ok(Ok(row)) => row,
        Ok(Err(error)) => return Err(CannotOpen::Database { database: url.to_string(), source: error }),
        Err(_) => return Err(CannotOpen::Silent { database: url.to_string(), seconds: CONNECT.as_secs() }),
    };
    let failed = |source| CannotOpen::Database { database: url.to_string(), source };
    if row.try_get::<i32, _>("number").map_err(failed)? < VERSION_MIN {
        let found = row.try_get("version").map_err(failed)?;
        return Err(CannotOpen::OldPostgres { found, least: VERSION_MIN / 10_000 });
    }
    let encoding: String = row.try_get("encoding").map_err(failed)?;
    if encoding != "UTF8" {
        return Err(CannotOpen::Encoding(encoding));
    }
    if row.try_get("standby").map_err(failed)? {
        return Err(CannotOpen::Standby(url.to_string()));
    }
    if !row.try_get::<bool, _>("durable").map_err(failed)? {
        tracing::warn!(database = %url, "the PostgreSQL server runs with fsync=off: a power cut can destroy its databases");
    }
    Ok(())
}

async fn about(url: &PostgresUrl) -> Result<PgRow, sqlx::Error> {
    let mut connection: PgConnection = options(url).connect().await?;
    sqlx::query(ABOUT).fetch_one(&mut connection).await
}

/// Whether the role may not do what it was to do.
pub(crate) fn lacks_rights(error: &DbErr) -> bool {
    const INSUFFICIENT_PRIVILEGE: &str = "42501";
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == INSUFFICIENT_PRIVILEGE)
}
