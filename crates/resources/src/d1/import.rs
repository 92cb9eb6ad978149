//! Running the SQL of a file.

use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

use offprint_model::d1::SqlMeta;
use rusqlite::StatementStatus;
use rusqlite::limits::Limit;

use super::database::{Database, Guarded, size};
use super::error::D1Error;
use super::guard::SQL_BYTES_MAX;
use super::split::Splitter;
use crate::error::{ResourceError, Result};

/// How long an import may take.
const TIME_MAX: Duration = Duration::from_secs(15 * 60);
/// The longest statement: an exported row may hold the longest value there is, twice as long in hex.
const STATEMENT_BYTES_MAX: i32 = 5_000_000;
const PIECE_BYTES: usize = 64 << 10;

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Imported {
    /// Statements.
    pub queries: u64,
    /// What they cost and did.
    pub meta: SqlMeta,
}

impl Database {
    /// Runs the statements of a file in one transaction.
    pub(super) fn import(&self, file: File) -> Result<Imported, D1Error> {
        let guarded = self.lock();
        guarded.limit_statements(STATEMENT_BYTES_MAX)?;
        let imported = guarded.in_transaction(TIME_MAX, || guarded.import(file));
        guarded.limit_statements(SQL_BYTES_MAX)?;
        imported
    }
}

impl Guarded {
    fn limit_statements(&self, bytes_max: i32) -> Result<()> {
        self.connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, bytes_max)?;
        let value = if bytes_max > SQL_BYTES_MAX { STATEMENT_BYTES_MAX } else { 2_200_000 };
        Ok(self.connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, value).map(drop)?)
    }

    fn import(&self, mut file: File) -> Result<Imported, D1Error> {
        let started = Instant::now();
        let changes_before = self.connection.total_changes();
        let mut splitter = Splitter::default();
        let mut piece = vec![0; PIECE_BYTES];
        let mut imported = Imported { queries: 0, meta: SqlMeta::default() };
        loop {
            let length = file.read(&mut piece).map_err(ResourceError::io("the uploaded file"))?;
            let end = length == 0;
            splitter.push(&piece[..length]);
            while let Some(statement) = splitter.next(end) {
                self.run_one(&statement, &mut imported)?;
            }
            if splitter.pending() > usize::try_from(STATEMENT_BYTES_MAX).unwrap_or_default() {
                return Err(at(imported.queries, "statement too long: SQLITE_TOOBIG"));
            }
            if end {
                break;
            }
        }
        if imported.queries == 0 {
            return Err(D1Error::Sql("No SQL statements detected.".into()));
        }
        let changes = self.connection.total_changes() - changes_before;
        let size_after = size(&self.connection)?;
        imported.meta = SqlMeta {
            duration_ms: started.elapsed().as_secs_f64() * 1000.0,
            changes,
            last_row_id: self.connection.last_insert_rowid(),
            changed_db: true,
            size_after,
            rows_read: imported.meta.rows_read,
            rows_written: changes,
        };
        Ok(imported)
    }

    /// Runs a statement and throws its rows away.
    fn run_one(&self, statement: &[u8], imported: &mut Imported) -> Result<(), D1Error> {
        let failed = |error| match D1Error::of(error, self.guard.refused()) {
            D1Error::Sql(text) => at(imported.queries, &text),
            other => other,
        };
        let sql =
            std::str::from_utf8(statement).map_err(|_| at(imported.queries, "The file is not UTF-8."))?;
        let mut prepared = self.guard.watch(|| self.connection.prepare(sql)).map_err(failed)?;
        self.guard.watch(|| {
            let mut rows = prepared.query([]).map_err(failed)?;
            while rows.next().map_err(failed)?.is_some() {}
            Ok::<_, D1Error>(())
        })?;
        let scanned = u64::try_from(prepared.get_status(StatementStatus::FullscanStep)).unwrap_or_default();
        imported.meta.rows_read += scanned;
        imported.queries += 1;
        Ok(())
    }
}

/// An error with the place of its statement.
fn at(queries: u64, text: &str) -> D1Error {
    D1Error::Sql(format!("{text} (statement {})", queries + 1))
}
