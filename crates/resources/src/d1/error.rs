//! What SQLite says, in the words of the real service: `near "SELEC": syntax error at offset 0: SQLITE_ERROR`.

use rusqlite::ffi;

use super::guard::Refused;
use crate::error::ResourceError;

/// Why SQL was not run.
#[derive(Clone, Debug, thiserror::Error)]
pub enum D1Error {
    /// The SQL is at fault, or asks for too much. For whoever wrote it.
    #[error("{0}")]
    Sql(String),
    /// The contents cannot be used.
    #[error(transparent)]
    Contents(#[from] ResourceError),
}

impl D1Error {
    /// The error of a statement; `refused` says what the guard has refused while it was made or ran.
    pub(super) fn of(error: rusqlite::Error, refused: Option<Refused>) -> Self {
        if let Some(refused) = refused {
            return Self::Sql(refused.to_string());
        }
        match error {
            rusqlite::Error::SqliteFailure(code, text) => of_code(code, text, -1),
            rusqlite::Error::SqlInputError { error: code, msg, offset, .. } => {
                of_code(code, Some(msg), offset)
            }
            rusqlite::Error::InvalidParameterCount(..) => {
                Self::Sql("Wrong number of parameter bindings for SQL query.".into())
            }
            other => Self::Contents(other.into()),
        }
    }
}

fn of_code(code: ffi::Error, text: Option<String>, offset: i32) -> D1Error {
    let primary = code.extended_code & 0xff;
    if matches!(primary, ffi::SQLITE_IOERR | ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB | ffi::SQLITE_CANTOPEN)
    {
        return D1Error::Contents(rusqlite::Error::SqliteFailure(code, text).into());
    }
    let mut said = text.unwrap_or_else(|| code.to_string());
    if offset >= 0 {
        said = format!("{said} at offset {offset}");
    }
    said = format!("{said}: {}", name(primary));
    if let Some(extended) = constraint(code.extended_code) {
        said = format!("{said} (extended: {extended})");
    }
    D1Error::Sql(said)
}

fn name(primary: i32) -> String {
    let known = match primary {
        ffi::SQLITE_ERROR => "SQLITE_ERROR",
        ffi::SQLITE_INTERNAL => "SQLITE_INTERNAL",
        ffi::SQLITE_PERM => "SQLITE_PERM",
        ffi::SQLITE_ABORT => "SQLITE_ABORT",
        ffi::SQLITE_BUSY => "SQLITE_BUSY",
        ffi::SQLITE_LOCKED => "SQLITE_LOCKED",
        ffi::SQLITE_NOMEM => "SQLITE_NOMEM",
        ffi::SQLITE_READONLY => "SQLITE_READONLY",
        ffi::SQLITE_INTERRUPT => "SQLITE_INTERRUPT",
        ffi::SQLITE_FULL => "SQLITE_FULL",
        ffi::SQLITE_SCHEMA => "SQLITE_SCHEMA",
        ffi::SQLITE_TOOBIG => "SQLITE_TOOBIG",
        ffi::SQLITE_CONSTRAINT => "SQLITE_CONSTRAINT",
        ffi::SQLITE_MISMATCH => "SQLITE_MISMATCH",
        ffi::SQLITE_AUTH => "SQLITE_AUTH",
        ffi::SQLITE_RANGE => "SQLITE_RANGE",
        other => return format!("SQLITE_{other}"),
    };
    known.into()
}

fn constraint(extended: i32) -> Option<&'static str> {
    Some(match extended {
        ffi::SQLITE_CONSTRAINT_CHECK => "SQLITE_CONSTRAINT_CHECK",
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => "SQLITE_CONSTRAINT_FOREIGNKEY",
        ffi::SQLITE_CONSTRAINT_NOTNULL => "SQLITE_CONSTRAINT_NOTNULL",
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY => "SQLITE_CONSTRAINT_PRIMARYKEY",
        ffi::SQLITE_CONSTRAINT_ROWID => "SQLITE_CONSTRAINT_ROWID",
        ffi::SQLITE_CONSTRAINT_TRIGGER => "SQLITE_CONSTRAINT_TRIGGER",
        ffi::SQLITE_CONSTRAINT_UNIQUE => "SQLITE_CONSTRAINT_UNIQUE",
        ffi::SQLITE_CONSTRAINT_VTAB => "SQLITE_CONSTRAINT_VTAB",
        ffi::SQLITE_CONSTRAINT_DATATYPE => "SQLITE_CONSTRAINT_DATATYPE",
        _ => return None,
    })
}
