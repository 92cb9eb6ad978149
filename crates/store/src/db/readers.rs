//! Connections for questions of one statement.
//!
//! The driver's own pool asks each connection whether it still works, before it is used and after. Those are more changes to
//! the connection's thread, or to the database's process, than most of our questions take, and meanwhile the next question
//! goes to another connection, whose caches are cold. Here the connection that was used last is used again, at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::pool::Pool;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, Database, Encode, Executor, IntoArguments, Type};
use sea_orm::{DbErr, QueryResult, RuntimeErr, Value};
use tokio::sync::Semaphore;

/// The connections.
pub(super) struct Readers<D: Database> {
    /// Makes them. It knows how to wait for a database that is being restarted.
    pool: Pool<D>,
    /// For questions at a time.
    room: Semaphore,
    /// One that was used within this time still works.
    trusted: Duration,
    /// The one that was used last comes last.
    idle: Mutex<Vec<Idle<D::Connection>>>,
}

struct Idle<C> {
    connection: C,
    since: Instant,
}

impl<D> Readers<D>
where
    D: Database,
    D::Arguments: IntoArguments<D>,
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    for<'v> Option<i64>: Encode<'v, D> + Type<D>,
    for<'v> Option<String>: Encode<'v, D> + Type<D>,
    for<'v> Option<Vec<u8>>: Encode<'v, D> + Type<D>,
    QueryResult: From<D::Row>,
{
    /// Takes up to so many connections out of a pool, when they are needed, beside those that it has itself.
    pub(super) fn new(pool: Pool<D>, most: usize, trusted: Duration) -> Self {
        Self { pool, room: Semaphore::new(most), trusted, idle: Mutex::default() }
    }

    /// All rows.
    pub(super) async fn all(&self, sql: String, values: Vec<Value>) -> Result<Vec<QueryResult>, DbErr> {
        let question = bound::<D>(sql, values)?;
        self.ask(async |connection| question.fetch_all(connection).await)
            .await
            .map(|rows| rows.into_iter().map(QueryResult::from).collect())
    }

    /// The first row.
    pub(super) async fn one(&self, sql: String, values: Vec<Value>) -> Result<Option<QueryResult>, DbErr> {
        let question = bound::<D>(sql, values)?;
        let row = self.ask(async |connection| question.fetch_optional(connection).await).await;
        row.map(|row| row.map(QueryResult::from))
    }

    /// Asks something on one of the connections. One whose question has failed, or was given up, is not used again.
    async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut D::Connection) -> Result<T, sqlx::Error>,
    ) -> Result<T, DbErr> {
        let _permit = self.room.acquire().await.map_err(|closed| DbErr::Custom(closed.to_string()))?;
        let mut connection = self.connection().await.map_err(|error| DbErr::Conn(failed(error)))?;
        let answer = question(&mut connection).await.map_err(|error| DbErr::Query(failed(error)))?;
        self.idle().push(Idle { connection, since: Instant::now() });
        Ok(answer)
    }

    async fn connection(&self) -> Result<D::Connection, sqlx::Error> {
        let idle = self.idle().pop();
        if let Some(Idle { mut connection, since }) = idle
            && (since.elapsed() < self.trusted || connection.ping().await.is_ok())
        {
            return Ok(connection);
        }
        Ok(self.pool.acquire().await?.detach())
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle<D::Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(error: sqlx::Error) -> RuntimeErr {
    RuntimeErr::SqlxError(Arc::new(error))
}

/// A statement with its values, which are of the kinds that `IntoValue` makes.
fn bound<D>(sql: String, values: Vec<Value>) -> Result<Query<'static, D, D::Arguments>, DbErr>
where
    D: Database,
    for<'v> Option<i64>: Encode<'v, D> + Type<D>,
    for<'v> Option<String>: Encode<'v, D> + Type<D>,
    for<'v> Option<Vec<u8>>: Encode<'v, D> + Type<D>,
{
    values.into_iter().try_fold(sqlx::query(AssertSqlSafe(sql)), |query, value| {
        Ok(match value {
            Value::BigInt(number) => query.bind(number),
            Value::String(text) => query.bind(text),
            Value::Bytes(bytes) => query.bind(bytes),
            other => return Err(DbErr::Type(format!("{other:?} is not a value of a column"))),
        })
    })
}
