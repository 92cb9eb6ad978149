//! The metadata database: one writer, several readers, statements with bound values.
//!
//! SQLite in a file, or PostgreSQL: chosen when the store is opened, and known to nobody beyond this module but the one
//! with the statements that the two have in their own words.

mod postgres;
mod postgres_url;
mod readers;
mod sqlite;

pub(crate) use postgres::lacks_rights;
pub use postgres_url::{BadPostgresUrl, PostgresUrl};

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use offprint_model::time::Timestamp;
use sea_orm::{
    ColIdx, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, QueryResult,
    Statement, TransactionTrait, Value,
};

use crate::error::Result;
use crate::failpoints;
use crate::lists::Query;
use readers::Readers;
use sea_orm::sqlx::{Postgres, Sqlite};

/// Bound values of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::db::IntoValue::into_value($value)),*] };
}
pub(crate) use values;

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    const fn backend(self) -> DbBackend {
        match self {
            Self::Sqlite => DbBackend::Sqlite,
            Self::Postgres => DbBackend::Postgres,
        }
    }

    fn statement(self, sql: impl Into<String>, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql, self.bindable(values))
    }

    /// PostgreSQL's texts hold no zero bytes. Nobody means one: it becomes what stands for unreadable characters.
    fn bindable(self, mut values: Vec<Value>) -> Vec<Value> {
        if self == Self::Postgres {
            for value in &mut values {
                if let Value::String(Some(text)) = value
                    && text.contains('\0')
                {
                    *text = text.replace('\0', "\u{fffd}");
                }
            }
        }
        values
    }
}

/// The database.
pub(crate) struct Db {
    writer: DatabaseConnection,
    /// For transactions.
    readers: DatabaseConnection,
    single: Single,
}

/// Connections for single statements.
enum Single {
    Sqlite(Readers<Sqlite>),
    Postgres(Readers<Postgres>),
}

impl Db {
    /// Opens the database in a file, making it when absent.
    pub(crate) async fn open_file(path: &Path) -> Result<Self> {
        sqlite::open(path).await
    }

    /// Opens a database of a PostgreSQL server.
    pub(crate) async fn open_postgres(url: &PostgresUrl) -> Result<Self> {
        postgres::open(url).await
    }

    /// Begins a writing transaction; there is one at a time, among all processes. It is rolled back when dropped without
    /// [`Tx::commit`].
    pub(crate) async fn write(&self, name: &'static str) -> Result<Tx> {
        let inner = match self.engine() {
            Engine::Sqlite => sqlite::begin(&self.writer).await?,
            Engine::Postgres => postgres::begin(&self.writer).await?,
        };
        Ok(Tx::new(self.engine(), inner, name))
    }

    /// Begins a transaction whose reads all see one state.
    pub(crate) async fn read(&self) -> Result<Tx> {
        Ok(Tx::new(self.engine(), self.readers.begin().await?, "read"))
    }
}

/// Something that answers queries: the readers' pool or a transaction.
pub(crate) trait Rows: Sync {
    /// Which database answers.
    fn engine(&self) -> Engine;

    /// All rows of a statement with this text.
    fn all_rows(&self, sql: String, values: Vec<Value>) -> impl Future<Output = Result<Vec<Row>>> + Send;

    /// All rows.
    fn all(&self, sql: &'static str, values: Vec<Value>) -> impl Future<Output = Result<Vec<Row>>> + Send {
        self.all_rows(sql.to_owned(), values)
    }

    /// All rows of a statement that was put together.
    fn all_of(&self, query: Query) -> impl Future<Output = Result<Vec<Row>>> + Send {
        let (text, values) = query.into_parts();
        self.all_rows(text, values)
    }

    /// The first row.
    fn one(&self, sql: &'static str, values: Vec<Value>) -> impl Future<Output = Result<Option<Row>>> + Send;
}

impl Rows for Db {
    fn engine(&self) -> Engine {
        match self.single {
            Single::Sqlite(_) => Engine::Sqlite,
            Single::Postgres(_) => Engine::Postgres,
        }
    }

    async fn all_rows(&self, sql: String, values: Vec<Value>) -> Result<Vec<Row>> {
        let values = self.engine().bindable(values);
        let rows = match &self.single {
            Single::Sqlite(readers) => readers.all(sql, values).await?,
            Single::Postgres(readers) => readers.all(sql, values).await?,
        };
        Ok(rows.into_iter().map(Row).collect())
    }

    async fn one(&self, sql: &'static str, values: Vec<Value>) -> Result<Option<Row>> {
        let values = self.engine().bindable(values);
        let row = match &self.single {
            Single::Sqlite(readers) => readers.one(sql.to_owned(), values).await?,
            Single::Postgres(readers) => readers.one(sql.to_owned(), values).await?,
        };
        Ok(row.map(Row))
    }
}

/// A transaction.
pub(crate) struct Tx {
    engine: Engine,
    inner: DatabaseTransaction,
    name: &'static str,
    step: AtomicU32,
    has_failed: AtomicBool,
}

impl Tx {
    const fn new(engine: Engine, inner: DatabaseTransaction, name: &'static str) -> Self {
        Self { engine, inner, name, step: AtomicU32::new(0), has_failed: AtomicBool::new(false) }
    }

    /// Runs a statement that changes something and says how many rows it changed.
    pub(crate) async fn run(&self, sql: &'static str, values: Vec<Value>) -> Result<u64> {
        failpoints::step(self.name, &self.step)?;
        let done = self.inner.execute_raw(self.engine.statement(sql, values)).await;
        Ok(self.noted(done)?.rows_affected())
    }

    /// Runs several statements without values.
    pub(crate) async fn script(&self, sql: &'static str) -> Result<()> {
        failpoints::step(self.name, &self.step)?;
        self.noted(self.inner.execute_unprepared(sql).await).map(drop)
    }

    /// Runs a statement that changes something and returns rows.
    pub(crate) async fn returning(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>> {
        failpoints::step(self.name, &self.step)?;
        self.all(sql, values).await
    }

    /// PostgreSQL undoes a transaction of which a statement has failed, and calls that a successful commit.
    fn noted<T>(&self, done: Result<T, DbErr>) -> Result<T> {
        if done.is_err() {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        Ok(done?)
    }

    /// Makes the changes durable and visible. When it fails, none of them happened, except that a crash of
    /// the machine, or the loss of the database server, in the middle leaves open which.
    pub(crate) async fn commit(self) -> Result<()> {
        failpoints::step(self.name, &self.step)?;
        if self.has_failed.into_inner() {
            return Err(DbErr::Custom("a statement of the transaction has failed".into()).into());
        }
        Ok(self.inner.commit().await?)
    }
}

impl Rows for Tx {
    fn engine(&self) -> Engine {
        self.engine
    }

    async fn all_rows(&self, sql: String, values: Vec<Value>) -> Result<Vec<Row>> {
        let rows = self.noted(self.inner.query_all_raw(self.engine.statement(sql, values)).await)?;
        Ok(rows.into_iter().map(Row).collect())
    }

    async fn one(&self, sql: &'static str, values: Vec<Value>) -> Result<Option<Row>> {
        let row = self.noted(self.inner.query_one_raw(self.engine.statement(sql, values)).await)?;
        Ok(row.map(Row))
    }
}

/// A row of an answer.
pub(crate) struct Row(QueryResult);

impl Row {
    /// The value of a column.
    pub(crate) fn get<T: FromColumn>(&self, column: &str) -> Result<T> {
        Ok(T::from_column(&self.0, column)?)
    }

    /// The value in the column with this number, from 0.
    pub(crate) fn at<T: FromColumn>(&self, n: usize) -> Result<T> {
        Ok(T::from_column(&self.0, n)?)
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

/// What a column may hold.
pub(crate) trait FromColumn: Sized {
    fn from_column(row: &QueryResult, column: impl ColIdx) -> Result<Self, DbErr>;
}

macro_rules! from_columns {
    ($($type:ty),*) => {$(
        impl FromColumn for $type {
            fn from_column(row: &QueryResult, column: impl ColIdx) -> Result<Self, DbErr> {
                row.try_get_by(column)
            }
        }
    )*};
}
from_columns!(i64, String, Vec<u8>, Option<i64>, Option<String>, Option<Vec<u8>>);

/// Flags are stored as the numbers 0 and 1, since SQLite has no others; what PostgreSQL computes as an answer is a truth value.
impl FromColumn for Option<bool> {
    fn from_column(row: &QueryResult, column: impl ColIdx) -> Result<Self, DbErr> {
        match row.try_get_by::<Option<i64>, _>(column) {
            Ok(number) => Ok(number.map(|number| number != 0)),
            Err(_) => row.try_get_by(column),
        }
    }
}

impl FromColumn for bool {
    fn from_column(row: &QueryResult, column: impl ColIdx) -> Result<Self, DbErr> {
        let flag = Option::<Self>::from_column(row, column)?;
        flag.ok_or_else(|| DbErr::Type(format!("column {column:?} holds no truth value")))
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
into_values!(i64, &str, String, Vec<u8>, Option<i64>, Option<String>);

impl IntoValue for bool {
    fn into_value(self) -> Value {
        i64::from(self).into_value()
    }
}

impl IntoValue for Option<bool> {
    fn into_value(self) -> Value {
        self.map(i64::from).into_value()
    }
}

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
