//! The wall around a database whose SQL is anybody's.
//!
//! SQLite asks before it makes a statement: other files, temporary tables, transactions of the SQL's own, and pragmas
//! that tell more or do more than those of the real service are refused. Its limits bound what one statement can be,
//! and a handler that it calls every few thousand steps bounds the time. Our own statements, such as the
//! transaction around a call, are made while the guard looks away.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use super::math;
use crate::error::Result;

/// How long a call may take (D1, "Limits").
pub(super) const TIME_MAX: Duration = Duration::from_secs(30);
/// The longest statement, in bytes.
pub(super) const SQL_BYTES_MAX: i32 = 100_000;
/// How large a database may become: 10 GB in pages of 4 KiB.
const PAGES_MAX: i64 = 10_000_000_000 / 4096;
/// Steps between two looks at the clock.
const STEPS: i32 = 4000;

/// The limits of D1: a value or row of 2 MB, 100 columns, 100 parameters, and so on.
const LIMITS: [(Limit, i32); 12] = [
    (Limit::SQLITE_LIMIT_LENGTH, 2_200_000),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX),
    (Limit::SQLITE_LIMIT_COLUMN, 100),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
    (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Pragmas that look at the schema, check it, or change how the statements of one call are run.
const PRAGMAS: [&str; 20] = [
    "case_sensitive_like",
    "data_version",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "function_list",
    "ignore_check_constraints",
    "index_info",
    "index_list",
    "index_xinfo",
    "legacy_alter_table",
    "optimize",
    "quick_check",
    "recursive_triggers",
    "reverse_unordered_selects",
    "table_info",
    "table_list",
    "table_xinfo",
    "integrity_check",
];

/// Functions that reach out of the database, or tell of the library.
const FUNCTIONS: [&str; 7] = [
    "fts3_tokenizer",
    "load_extension",
    "sqlite_compileoption_get",
    "sqlite_compileoption_used",
    "sqlite_log",
    "sqlite_source_id",
    "sqlite_version",
];

/// Kinds of virtual tables that live in the database itself.
const MODULES: [&str; 3] = ["fts5", "fts5vocab", "rtree"];

/// What the guard of a connection remembers.
pub(super) struct Guard {
    shared: Arc<Shared>,
    /// What times are counted from.
    epoch: Instant,
}

struct Shared {
    /// Whether statements are made for somebody else.
    watching: AtomicBool,
    refused: AtomicU8,
    /// Milliseconds after the epoch at which whatever runs is stopped.
    deadline: AtomicU64,
}

/// Refusals that have words of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// SQL wants a transaction of its own.
    Transaction,
    /// It took too long.
    Time,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transaction => f.write_str(
                "Transactions are not begun or ended by SQL (BEGIN, COMMIT, SAVEPOINT): the statements of one batch() \
                 are one transaction.",
            ),
            Self::Time => write!(f, "D1 DB exceeded its time limit of {} seconds.", TIME_MAX.as_secs()),
        }
    }
}

impl Guard {
    /// Walls a connection in.
    pub(super) fn new(connection: &Connection) -> Result<Self> {
        math::add(connection)?;
        for (limit, value) in LIMITS {
            connection.set_limit(limit, value)?;
        }
        for (setting, on) in [
            (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        ] {
            connection.set_db_config(setting, on)?;
        }
        // What sorts and gathers goes to a file when it grows, and not to our memory.
        connection
            .execute_batch(&format!("PRAGMA temp_store = FILE; PRAGMA max_page_count = {PAGES_MAX}"))?;
        let shared = Arc::new(Shared {
            watching: AtomicBool::new(false),
            refused: AtomicU8::new(0),
            deadline: AtomicU64::new(u64::MAX),
        });
        let epoch = Instant::now();
        let authorizer = Arc::clone(&shared);
        connection.authorizer(Some(move |asked: AuthContext<'_>| authorizer.judge(&asked)))?;
        let clock = Arc::clone(&shared);
        connection.progress_handler(STEPS, Some(move || clock.is_late(epoch)))?;
        Ok(Self { shared, epoch })
    }

    /// Does something with the SQL of somebody else.
    pub(super) fn watch<R>(&self, does: impl FnOnce() -> R) -> R {
        self.shared.watching.store(true, Ordering::Relaxed);
        let result = does();
        self.shared.watching.store(false, Ordering::Relaxed);
        result
    }

    /// From now on, whatever runs is stopped after so long.
    pub(super) fn start_clock(&self, time_max: Duration) {
        let deadline = self.epoch.elapsed() + time_max;
        self.shared.deadline.store(millis(deadline), Ordering::Relaxed);
        self.shared.refused.store(0, Ordering::Relaxed);
    }

    /// Nothing is stopped any more.
    pub(super) fn stop_clock(&self) {
        self.shared.deadline.store(u64::MAX, Ordering::Relaxed);
        self.shared.refused.store(0, Ordering::Relaxed);
    }

    /// What was refused since the clock was started.
    pub(super) fn refused(&self) -> Option<Refused> {
        match self.shared.refused.load(Ordering::Relaxed) {
            1 => Some(Refused::Transaction),
            2 => Some(Refused::Time),
            _ => None,
        }
    }
}

impl Shared {
    fn is_late(&self, epoch: Instant) -> bool {
        let late = millis(epoch.elapsed()) > self.deadline.load(Ordering::Relaxed);
        if late {
            self.refused.store(2, Ordering::Relaxed);
        }
        late
    }

    fn judge(&self, asked: &AuthContext<'_>) -> Authorization {
        if !self.watching.load(Ordering::Relaxed) {
            return Authorization::Allow;
        }
        let is_one_of =
            |names: &[&str], name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        let allowed = match asked.action {
            AuthAction::Attach { .. }
            | AuthAction::Detach { .. }
            | AuthAction::CreateTempIndex { .. }
            | AuthAction::CreateTempTable { .. }
            | AuthAction::CreateTempTrigger { .. }
            | AuthAction::CreateTempView { .. }
            | AuthAction::Unknown { .. } => false,
            AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => {
                self.refused.store(1, Ordering::Relaxed);
                false
            }
            AuthAction::Pragma { pragma_name, .. } => is_one_of(&PRAGMAS, pragma_name),
            AuthAction::Function { function_name } => !is_one_of(&FUNCTIONS, function_name),
            AuthAction::CreateVtable { module_name, .. } => is_one_of(&MODULES, module_name),
            AuthAction::CreateTable { table_name }
            | AuthAction::DropTable { table_name }
            | AuthAction::AlterTable { table_name, .. }
            | AuthAction::Insert { table_name }
            | AuthAction::Update { table_name, .. }
            | AuthAction::Delete { table_name }
            | AuthAction::Read { table_name, .. } => !is_reserved(table_name),
            _ => true,
        };
        if allowed { Authorization::Allow } else { Authorization::Deny }
    }
}

/// Names that the real service keeps for itself.
fn is_reserved(table: &str) -> bool {
    table.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("_cf_"))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
