//! An open database: one connection, behind its guard.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use offprint_model::d1::{SqlMeta, SqlQuery, SqlResult, SqlValue};
use rusqlite::{Connection, StatementStatus, params_from_iter};
use tokio::sync::Semaphore;

use super::error::D1Error;
use super::guard::{Guard, SQL_BYTES_MAX, TIME_MAX};
use super::split::statements;
use super::value::{self, Bound};
use crate::error::Result;
use crate::file;

/// Calls that may wait for a database.
const WAITING_MAX: usize = 100;
/// What a call may answer, in bytes of memory.
const RESULT_BYTES_MAX: usize = 32 << 20;

/// Whose results are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultsOf {
    /// Those of each query's last statement, as bindings have them.
    Queries,
    /// Those of every statement, as the REST API has them.
    Statements,
}

/// How large a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct D1Info {
    /// In bytes.
    pub size: u64,
    /// Tables that are not SQLite's own.
    pub tables: u64,
}

/// An open database.
pub(crate) struct Database {
    pub(super) path: PathBuf,
    pub(super) turns: Arc<Semaphore>,
    pub(super) waiting: Arc<Semaphore>,
    connection: Mutex<Guarded>,
}

/// A connection and its guard.
pub(super) struct Guarded {
    pub(super) connection: Connection,
    pub(super) guard: Guard,
}

impl Database {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let connection = file::open(path)?;
        let guard = Guard::new(&connection)?;
        Ok(Self {
            path: path.to_owned(),
            turns: Arc::new(Semaphore::new(1)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            connection: Mutex::new(Guarded { connection, guard }),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Guarded> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn run(&self, queries: &[SqlQuery], results: ResultsOf) -> Result<Vec<SqlResult>, D1Error> {
        let guarded = self.lock();
        guarded.in_transaction(TIME_MAX, || {
            let mut found = Vec::new();
            let mut room = RESULT_BYTES_MAX;
            for query in queries {
                let mut of_query = guarded.query(query, &mut room)?;
                if results == ResultsOf::Queries {
                    of_query.drain(..of_query.len().saturating_sub(1));
                }
                found.append(&mut of_query);
            }
            if found.is_empty() {
                return Err(D1Error::Sql("No SQL statements detected.".into()));
            }
            Ok(found)
        })
    }

    pub(super) fn info(&self) -> Result<D1Info> {
        let reader = file::open_reader(&self.path)?;
        let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
        Ok(D1Info { size: size(&reader)?, tables: reader.query_row(tables, [], |row| row.get(0))? })
    }
}

impl Guarded {
    /// Runs something in a transaction, which is undone when it fails.
    pub(super) fn in_transaction<R>(
        &self,
        time_max: std::time::Duration,
        run: impl FnOnce() -> Result<R, D1Error>,
    ) -> Result<R, D1Error> {
        let own = |sql| {
            self.connection.execute_batch(sql).map_err(|error| D1Error::of(error, self.guard.refused()))
        };
        own("BEGIN IMMEDIATE")?;
        self.guard.start_clock(time_max);
        let result = run();
        self.guard.stop_clock();
        // What was deferred is checked by the commit.
        let result = result.and_then(|done| own("COMMIT").map(|()| done));
        // Some errors have undone it already.
        if result.is_err() && !self.connection.is_autocommit() {
            own("ROLLBACK")?;
        }
        // Pragmas of one call do not outlive it.
        own("PRAGMA foreign_keys = ON; PRAGMA case_sensitive_like = OFF; PRAGMA ignore_check_constraints = OFF;
            PRAGMA legacy_alter_table = OFF; PRAGMA recursive_triggers = OFF; PRAGMA reverse_unordered_selects = OFF")?;
        result
    }

    /// Runs the statements of a query.
    fn query(&self, query: &SqlQuery, room: &mut usize) -> Result<Vec<SqlResult>, D1Error> {
        if query.sql.len() > usize::try_from(SQL_BYTES_MAX).unwrap_or_default() {
            return Err(D1Error::Sql("statement too long: SQLITE_TOOBIG".into()));
        }
        let statements = statements(&query.sql);
        let last = statements.len().saturating_sub(1);
        let mut results = Vec::with_capacity(statements.len());
        for (n, sql) in statements.iter().enumerate() {
            let params = if n == last { &query.params[..] } else { &[] };
            results.push(self.statement(sql, params, n == last, room)?);
        }
        Ok(results)
    }

    /// Runs one statement to its end.
    fn statement(
        &self,
        sql: &str,
        params: &[SqlValue],
        is_last: bool,
        room: &mut usize,
    ) -> Result<SqlResult, D1Error> {
        let failed = |error| D1Error::of(error, self.guard.refused());
        let changes_before = self.connection.total_changes();
        let size_before = size(&self.connection)?;
        let started = Instant::now();
        let mut statement = self.guard.watch(|| self.connection.prepare(sql)).map_err(failed)?;
        if statement.parameter_count() != params.len() {
            let text = match is_last {
                true => "Wrong number of parameter bindings for SQL query.",
                false => {
                    "When executing multiple SQL statements in a single call, only the last statement can have \
                     parameters."
                }
            };
            return Err(D1Error::Sql(text.into()));
        }
        let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut found = Vec::new();
        // Triggers and virtual tables make statements of their own while it runs.
        self.guard.watch(|| {
            let mut rows = statement.query(params_from_iter(params.iter().map(Bound))).map_err(failed)?;
            while let Some(row) = rows.next().map_err(failed)? {
                let values = (0..columns.len()).map(|n| row.get_ref(n).map(value::of));
                let values = values.collect::<Result<Vec<_>, _>>().map_err(failed)?;
                let size: usize = values.iter().map(SqlValue::size).sum();
                *room = room.checked_sub(size).ok_or_else(|| {
                    D1Error::Sql(format!("The result is larger than {} MiB.", RESULT_BYTES_MAX >> 20))
                })?;
                found.push(values);
            }
            Ok::<_, D1Error>(())
        })?;
        let scanned = u64::try_from(statement.get_status(StatementStatus::FullscanStep)).unwrap_or_default();
        drop(statement);
        let changes = self.connection.total_changes() - changes_before;
        let size_after = size(&self.connection)?;
        let meta = SqlMeta {
            duration_ms: started.elapsed().as_secs_f64() * 1000.0,
            changes,
            last_row_id: self.connection.last_insert_rowid(),
            changed_db: changes > 0 || size_after != size_before,
            size_after,
            rows_read: scanned.max(found.len() as u64),
            rows_written: changes,
        };
        Ok(SqlResult { columns, rows: found, meta })
    }
}

/// How large a database is, in bytes.
pub(super) fn size(connection: &Connection) -> Result<u64> {
    let pages: u64 = connection.prepare_cached("PRAGMA page_count")?.query_row([], |row| row.get(0))?;
    Ok(pages * 4096)
}
