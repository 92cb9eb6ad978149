//! How much each database was asked, by the hour, for a day: what `wrangler d1 info` shows. In memory, so it begins
//! anew with the process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use offprint_model::d1::SqlResult;
use offprint_model::id::ResourceId;
use offprint_store::Clock;

const HOURS: i64 = 24;
const MICROS_AN_HOUR: i64 = 3_600_000_000;

/// What a database was asked in an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct D1Usage {
    /// Queries that changed nothing.
    pub read_queries: u64,
    /// Queries that changed something.
    pub write_queries: u64,
    /// Rows that were looked at.
    pub rows_read: u64,
    /// Rows that were written.
    pub rows_written: u64,
}

#[derive(Default)]
pub(super) struct Usage(Mutex<HashMap<ResourceId, Vec<(i64, D1Usage)>>>);

impl Usage {
    pub(super) fn note(&self, database: &ResourceId, results: &[SqlResult]) {
        let hour = now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hours = known.entry(database.clone()).or_default();
        hours.retain(|(old, _)| *old > hour - HOURS);
        if hours.last().is_none_or(|(last, _)| *last != hour) {
            hours.push((hour, D1Usage::default()));
        }
        let Some((_, usage)) = hours.last_mut() else { return };
        for result in results {
            match result.meta.changed_db {
                true => usage.write_queries += 1,
                false => usage.read_queries += 1,
            }
            usage.rows_read += result.meta.rows_read;
            usage.rows_written += result.meta.rows_written;
        }
    }

    /// The last day's, summed up.
    pub(super) fn of_day(&self, database: &ResourceId) -> D1Usage {
        let hour = now();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hours = known.get(database).into_iter().flatten().filter(|(old, _)| *old > hour - HOURS);
        hours.fold(D1Usage::default(), |sum, (_, usage)| D1Usage {
            read_queries: sum.read_queries + usage.read_queries,
            write_queries: sum.write_queries + usage.write_queries,
            rows_read: sum.rows_read + usage.rows_read,
            rows_written: sum.rows_written + usage.rows_written,
        })
    }

    pub(super) fn forget(&self, database: &ResourceId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(database);
    }
}

fn now() -> i64 {
    Clock::now().as_micros() / MICROS_AN_HOUR
}
