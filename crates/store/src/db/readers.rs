//! Connections to a SQLite database for questions of one statement.
//!
//! The driver's own pool asks each connection that comes back whether it still works. That is another change to the
//! connection's thread and back, as long as most of our questions take, and meanwhile the next question goes to another
//! connection, whose caches are cold. A file does not hang up, so these are used again at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnectOptions};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions, SqliteConnection};
use sea_orm::{DbErr, QueryResult, RuntimeErr, Value};
use tokio::sync::Semaphore;

/// The connections.
pub(super) struct Readers {
    options: SqliteConnectOptions,
    /// For questions at a time.
    room: Semaphore,
    /// The one that was used last comes last.
    idle: Mutex<Vec<SqliteConnection>>,
}

impl Readers {
    /// Opens up to so many connections, when they are needed.
    pub(super) fn new(options: SqliteConnectOptions, most: usize) -> Self {
        Self {
            options: options.disable_statement_logging(),
            room: Semaphore::new(most),
            idle: Mutex::default(),
        }
    }

    /// All rows.
    pub(super) async fn all(&self, sql: String, values: Vec<Value>) -> Result<Vec<QueryResult>, DbErr> {
        let question = bound(sql, values)?;
        self.ask(async |connection| question.fetch_all(connection).await)
            .await
            .map(|rows| rows.into_iter().map(QueryResult::from).collect())
    }

    /// The first row.
    pub(super) async fn one(&self, sql: String, values: Vec<Value>) -> Result<Option<QueryResult>, DbErr> {
        let question = bound(sql, values)?;
        let row = self.ask(async |connection| question.fetch_optional(connection).await).await;
        row.map(|row| row.map(QueryResult::from))
    }

    /// Asks something on one of the connections. One whose question has failed, or was given up, is not used again.
    async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, DbErr> {
        let _permit = self.room.acquire().await.map_err(|closed| DbErr::Custom(closed.to_string()))?;
        let idle = self.idle().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(|error| DbErr::Conn(failed(error)))?,
        };
        let answer = question(&mut connection).await.map_err(|error| DbErr::Query(failed(error)))?;
        self.idle().push(connection);
        Ok(answer)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(error: sqlx::Error) -> RuntimeErr {
    RuntimeErr::SqlxError(Arc::new(error))
}

/// A statement with its values, which are of the kinds that `IntoValue` makes.
fn bound(sql: String, values: Vec<Value>) -> Result<Query<'static, Sqlite, SqliteArguments>, DbErr> {
    values.into_iter().try_fold(sqlx::query(AssertSqlSafe(sql)), |query, value| {
        Ok(match value {
            Value::BigInt(number) => query.bind(number),
            Value::String(text) => query.bind(text),
            Value::Bytes(bytes) => query.bind(bytes),
            other => return Err(DbErr::Type(format!("{other:?} is not a value of a column"))),
        })
    })
}
