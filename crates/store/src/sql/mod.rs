//! The statements that the engines have in words of their own, under the same names; all others are shared.
//!
//! Sets travel as one JSON array and not as thousands of statements: each statement costs a hop to SQLite's
//! thread, or to PostgreSQL's server, and back.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use offprint_model::listing::LikePattern;

use crate::db::Engine;

/// A statement, or a part of one, in the words of each engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sql {
    sqlite: &'static str,
    postgres: &'static str,
}

impl Sql {
    pub(crate) const fn new(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { sqlite, postgres }
    }

    /// The text for an engine.
    pub(crate) const fn of(self, engine: Engine) -> &'static str {
        match engine {
            Engine::Sqlite => self.sqlite,
            Engine::Postgres => self.postgres,
        }
    }
}

/// What both understand.
impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self::new(text, text)
    }
}

macro_rules! both {
    ($($name:ident),* $(,)?) => {
        $(pub(crate) const $name: Sql = Sql::new(sqlite::$name, postgres::$name);)*
    };
}
both!(
    BYTEWISE,
    LIKE,
    KNOWN_BLOBS,
    ADD_BLOBS,
    ADD_KEYS,
    MISSING_KEYS,
    ANY_STALE_KEY,
    REFRESH_KEYS,
    KEY_ROWS,
    VERIFY_KEYS,
    FORGET_KEYS,
    ADD_PINS,
    PINNED,
    APPEND_LOG,
    APPEND_BUILD_LOG,
    BUILD_STEPS,
    POLLED_PROJECTS,
    ADD_HEADS,
    DOMAINS_OF_PROJECTS,
    BRANCH_ALIASES_OF,
    PRODUCTION_ALIASES_OF,
    UNHELD_BLOBS,
    FORGET_KEYS_OF_BLOBS,
    FORGET_BLOBS,
    ROUTED_NAMES,
    ROUTED_PRODUCTION,
    ROUTED_BRANCHES,
    ROUTED_PREDECESSORS,
    ROUTED_DEPLOYMENTS,
    ROUTED_DOMAINS,
    DANGLING,
    DAMAGE,
    HAS_MIGRATIONS,
    CREATE_MIGRATIONS,
    EXPLAIN,
);

/// A pattern in the language of [`LIKE`]. One that ignores the case is in lower case, for a column in lower case.
pub(crate) fn like_pattern(engine: Engine, pattern: &LikePattern) -> String {
    let text = match engine {
        Engine::Sqlite => sqlite::like_pattern(&pattern.text),
        Engine::Postgres => postgres::like_pattern(&pattern.text),
    };
    if pattern.ignores_case { text.to_ascii_lowercase() } else { text }
}
