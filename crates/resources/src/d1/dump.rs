//! A database as SQL that makes it again.

use std::fmt::Write as _;

use bytes::Bytes;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tokio::sync::mpsc::Sender;

use super::database::Database;
use super::error::D1Error;
use super::math;
use crate::error::{ResourceError, Result};
use crate::file;

/// What is to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpOptions {
    /// Only these tables; none named: all.
    pub tables: Vec<String>,
    /// Leave the schema out.
    pub no_schema: bool,
    /// Leave the rows out.
    pub no_data: bool,
}

const PIECE_BYTES: usize = 64 << 10;

const TABLES: &str = "SELECT name, sql FROM sqlite_schema
    WHERE type = 'table' AND sql IS NOT NULL ORDER BY name = 'sqlite_sequence', rowid";
const REST: &str = "SELECT tbl_name, sql FROM sqlite_schema
    WHERE sql IS NOT NULL AND type IN ('index', 'trigger', 'view') ORDER BY type, rowid";

type Pieces = Sender<Result<Bytes, D1Error>>;

impl Database {
    /// Writes everything into pieces. Ends when nobody reads them any more.
    pub(super) fn dump(&self, options: &DumpOptions, pieces: &Pieces) {
        let written = file::open_reader(&self.path).map_err(D1Error::from).and_then(|reader| {
            // Generated columns may call them.
            math::add(&reader).map_err(contents)?;
            let mut dump = Dump { options, pieces, text: String::new() };
            // All reads see the database as it is at the first of them.
            reader.execute_batch("BEGIN").map_err(contents)?;
            dump.write(&reader)?;
            dump.flush()
        });
        if let Err(error) = written {
            let _ = pieces.blocking_send(Err(error));
        }
    }
}

struct Dump<'a> {
    options: &'a DumpOptions,
    pieces: &'a Pieces,
    text: String,
}

impl Dump<'_> {
    fn write(&mut self, reader: &Connection) -> Result<(), D1Error> {
        self.line("PRAGMA defer_foreign_keys=TRUE;")?;
        let tables = named(reader, TABLES)?;
        // Before anything is sent, so that whoever asked gets an error and not half a file.
        if tables.iter().any(|(table, sql)| self.wants(table) && is_virtual(sql)) {
            return Err(D1Error::Sql(
                "D1 Export error: cannot export databases with Virtual Tables (fts5)".into(),
            ));
        }
        for (table, sql) in tables {
            if !self.wants(&table) {
                continue;
            }
            match table.as_str() {
                "sqlite_sequence" => self.schema("DELETE FROM sqlite_sequence;")?,
                _ if table.starts_with("sqlite_stat") => self.schema("ANALYZE sqlite_schema;")?,
                _ if table.starts_with("_cf_") || table.starts_with("sqlite_") => continue,
                _ => self.schema(&format!("{sql};"))?,
            }
            if !self.options.no_data {
                self.rows(reader, &table)?;
            }
        }
        if !self.options.no_schema {
            for (table, sql) in named(reader, REST)? {
                if self.wants(&table) {
                    self.line(&format!("{sql};"))?;
                }
            }
        }
        Ok(())
    }

    fn rows(&mut self, reader: &Connection, table: &str) -> Result<(), D1Error> {
        let columns = format!("SELECT name FROM pragma_table_info({})", text_literal(table));
        let columns: Vec<String> = texts(reader, &columns)?.iter().map(|name| quoted(name)).collect();
        let (table, columns) = (quoted(table), columns.join(","));
        let mut statement = reader.prepare(&format!("SELECT {columns} FROM {table}")).map_err(contents)?;
        let count = statement.column_count();
        let mut rows = statement.query([]).map_err(contents)?;
        while let Some(row) = rows.next().map_err(contents)? {
            let _ = write!(self.text, "INSERT INTO {table} ({columns}) VALUES(");
            for n in 0..count {
                if n > 0 {
                    self.text.push(',');
                }
                let value = literal(row.get_ref(n).map_err(contents)?);
                self.text.push_str(&value);
            }
            self.line(");")?;
        }
        Ok(())
    }

    fn wants(&self, table: &str) -> bool {
        self.options.tables.is_empty() || self.options.tables.iter().any(|wanted| wanted == table)
    }

    fn schema(&mut self, line: &str) -> Result<(), D1Error> {
        if self.options.no_schema { Ok(()) } else { self.line(line) }
    }

    fn line(&mut self, line: &str) -> Result<(), D1Error> {
        self.text.push_str(line);
        self.text.push('\n');
        if self.text.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), D1Error> {
        let piece = Bytes::from(std::mem::take(&mut self.text));
        let gone = |_| D1Error::Contents(ResourceError::Corrupt("nobody reads the export".into()));
        self.pieces.blocking_send(Ok(piece)).map_err(gone)
    }
}

fn is_virtual(sql: &str) -> bool {
    sql.get(..20).is_some_and(|start| start.eq_ignore_ascii_case("CREATE VIRTUAL TABLE"))
}

fn contents(error: rusqlite::Error) -> D1Error {
    D1Error::Contents(error.into())
}

fn named(reader: &Connection, sql: &str) -> Result<Vec<(String, String)>, D1Error> {
    let mut statement = reader.prepare(sql).map_err(contents)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(contents)?;
    rows.collect::<Result<_, _>>().map_err(contents)
}

fn texts(reader: &Connection, sql: &str) -> Result<Vec<String>, D1Error> {
    let mut statement = reader.prepare(sql).map_err(contents)?;
    let rows = statement.query_map([], |row| row.get(0)).map_err(contents)?;
    rows.collect::<Result<_, _>>().map_err(contents)
}

/// A name in its quotes.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) if number.is_infinite() => {
            if number > 0.0 {
                "9e999".into()
            } else {
                "-9e999".into()
            }
        }
        // With a point or an exponent, so that it stays a real number; the shortest that reads back the same. Beyond
        // 1e±50 SQLite itself misses the last bit of some literals, however long they are.
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) if !text.contains('\0') => text_literal(text),
            // A literal ends at NUL.
            _ => format!("CAST({} AS TEXT)", blob_literal(text)),
        },
        ValueRef::Blob(bytes) => blob_literal(bytes),
    }
}

fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn blob_literal(bytes: &[u8]) -> String {
    let mut literal = String::with_capacity(bytes.len() * 2 + 3);
    literal.push_str("X'");
    for byte in bytes {
        let _ = write!(literal, "{byte:02x}");
    }
    literal.push('\'');
    literal
}
