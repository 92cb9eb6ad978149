//! The metadata database: one writer, several readers, statements with bound values.
//!
//! SQLite in WAL mode admits one writer beside any number of readers that see a snapshot. A pool of one
//! connection makes writers queue here, in order, instead of failing with "busy"; every writing transaction
//! is `IMMEDIATE`, because one that begins as a reader may be refused when it comes to write.
//! `synchronous=FULL` makes a commit durable before it returns.

use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use offprint_model::time::Timestamp;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    QueryResult, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, TryGetable, Value,
};

use crate::error::Result;
use crate::failpoints;
use crate::lists::Query;

/// Connections that read; each holds a thread and a page cache of up to 2 MB.
const READERS: u32 = 4;
/// How long a writer waits for another process, such as a collection by hand.
const BUSY: Duration = Duration::from_secs(30);

/// Bound values of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::db::IntoValue::into_value($value)),*] };
}
pub(crate) use values;

/// The database.
pub(crate) struct Db {
    writer: DatabaseConnection,
    readers: DatabaseConnection,
}

impl Db {
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let writer = connect(path, 1, false).await?;
        let readers = connect(path, READERS, true).await?;
        Ok(Self { writer, readers })
    }

    /// Begins a writing transaction. It is rolled back when dropped without [`Tx::commit`].
    pub(crate) async fn write(&self, name: &'static str) -> Result<Tx> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let inner = self.writer.begin_with_options(options).await?;
        Ok(Tx { inner, name, step: AtomicU32::new(0) })
    }

    /// Begins a transaction whose reads all see one state.
    pub(crate) async fn read(&self) -> Result<Tx> {
        Ok(Tx { inner: self.readers.begin().await?, name: "read", step: AtomicU32::new(0) })
    }
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

/// Something that answers queries: the readers' pool or a transaction.
pub(crate) trait Rows: Sync {
    /// All rows.
    fn all(&self, sql: &'static str, values: Vec<Value>) -> impl Future<Output = Result<Vec<Row>>> + Send;

    /// The first row.
    fn one(&self, sql: &'static str, values: Vec<Value>) -> impl Future<Output = Result<Option<Row>>> + Send;
}

impl Rows for Db {
    async fn all(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>> {
        let rows = self.readers.query_all_raw(statement(sql, values)).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    async fn one(&self, sql: &'static str, values: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.readers.query_one_raw(statement(sql, values)).await?.map(Row))
    }
}

/// A transaction.
pub(crate) struct Tx {
    inner: DatabaseTransaction,
    name: &'static str,
    step: AtomicU32,
}

impl Tx {
    /// Runs a statement that changes something and says how many rows it changed.
    pub(crate) async fn run(&self, sql: &'static str, values: Vec<Value>) -> Result<u64> {
        failpoints::step(self.name, &self.step)?;
        Ok(self.inner.execute_raw(statement(sql, values)).await?.rows_affected())
    }

    /// Runs several statements without values.
    pub(crate) async fn script(&self, sql: &'static str) -> Result<()> {
        failpoints::step(self.name, &self.step)?;
        self.inner.execute_unprepared(sql).await?;
        Ok(())
    }

    /// Runs a statement that changes something and returns rows.
    pub(crate) async fn returning(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>> {
        failpoints::step(self.name, &self.step)?;
        self.all(sql, values).await
    }

    /// All rows of a statement that was put together.
    pub(crate) async fn all_of(&self, query: Query) -> Result<Vec<Row>> {
        let (text, values) = query.into_parts();
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, text, values);
        Ok(self.inner.query_all_raw(statement).await?.into_iter().map(Row).collect())
    }

    /// Makes the changes durable and visible. When it fails, none of them happened, except that a crash of
    /// the machine in the middle leaves open which.
    pub(crate) async fn commit(self) -> Result<()> {
        failpoints::step(self.name, &self.step)?;
        Ok(self.inner.commit().await?)
    }
}

impl Rows for Tx {
    async fn all(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>> {
        let rows = self.inner.query_all_raw(statement(sql, values)).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    async fn one(&self, sql: &'static str, values: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.inner.query_one_raw(statement(sql, values)).await?.map(Row))
    }
}

fn statement(sql: &'static str, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}

/// A row of an answer.
pub(crate) struct Row(QueryResult);

impl Row {
    /// The value of a column.
    pub(crate) fn get<T: TryGetable>(&self, column: &str) -> Result<T> {
        Ok(self.0.try_get_by(column)?)
    }

    /// The value in the column with this number, from 0.
    pub(crate) fn at<T: TryGetable>(&self, n: usize) -> Result<T> {
        Ok(self.0.try_get_by(n)?)
    }

    /// A time.
    pub(crate) fn time(&self, column: &str) -> Result<Timestamp> {
        Ok(Timestamp::from_micros(self.get(column)?))
    }

    /// A time that may be absent.
    pub(crate) fn time_opt(&self, column: &str) -> Result<Option<Timestamp>> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp::from_micros))
    }
}

/// What may be bound to a statement.
pub(crate) trait IntoValue {
    fn into_value(self) -> Value;
}

macro_rules! into_values {
    ($($type:ty),*) => {$(
        impl IntoValue for $type {
            fn into_value(self) -> Value {
                Value::from(self)
            }
        }
    )*};
}
into_values!(i64, bool, &str, String, Vec<u8>, Option<i64>, Option<bool>, Option<String>);

impl IntoValue for &String {
    fn into_value(self) -> Value {
        Value::from(self.as_str())
    }
}

impl IntoValue for Option<&str> {
    fn into_value(self) -> Value {
        Value::from(self.map(str::to_owned))
    }
}

impl IntoValue for Timestamp {
    fn into_value(self) -> Value {
        Value::from(self.as_micros())
    }
}

impl IntoValue for Option<Timestamp> {
    fn into_value(self) -> Value {
        Value::from(self.map(Timestamp::as_micros))
    }
}

impl IntoValue for &offprint_model::asset::BlobHash {
    fn into_value(self) -> Value {
        Value::from(self.as_bytes().to_vec())
    }
}
