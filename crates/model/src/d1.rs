//! SQL as D1 takes it, and what it yields.

/// A value of a column or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// NULL.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// One query: SQL with values for the parameters of its last statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SqlQuery {
    /// One statement or more.
    pub sql: String,
    /// In the order of the parameters.
    pub params: Vec<SqlValue>,
}

/// What a query or statement yielded.
#[derive(Clone, Debug, PartialEq)]
pub struct SqlResult {
    /// The names of the columns; one may be there twice.
    pub columns: Vec<String>,
    /// The rows, each with a value for every column.
    pub rows: Vec<Vec<SqlValue>>,
    /// What it cost and did.
    pub meta: SqlMeta,
}

/// What statements cost and did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SqlMeta {
    /// How long they ran, in milliseconds.
    pub duration_ms: f64,
    /// Rows that were inserted, updated or deleted.
    pub changes: u64,
    /// The id of the row that was inserted last.
    pub last_row_id: i64,
    /// Whether anything changed.
    pub changed_db: bool,
    /// How large the database is afterwards, in bytes.
    pub size_after: u64,
    /// Rows that were looked at, as far as SQLite tells: those that were returned, and those of scans.
    pub rows_read: u64,
    /// Rows that were written; entries of indexes are not counted.
    pub rows_written: u64,
}

impl SqlValue {
    /// How much memory it takes, roughly; bytes are counted as the JSON that they become.
    pub const fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Null | Self::Integer(_) | Self::Real(_) => 0,
                Self::Text(text) => text.len(),
                Self::Blob(bytes) => bytes.len() * 4,
            }
    }
}
