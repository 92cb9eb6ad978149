//! D1 databases and queries: the account-level API, and what bindings say to one another.

use std::borrow::Cow;

use offprint_model::d1::{SqlMeta, SqlQuery, SqlResult, SqlValue};
use offprint_model::resource::{ResourceKind, ResourceName};
use offprint_model::time::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};

use crate::json::{InvalidMember, Node, Read, parse};
use crate::time::Time;

/// Queries of one call.
const BATCH_MAX: usize = 10_000;

/// A database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "D1Database")]
pub struct Database {
    /// Its id, a UUID.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Time,
    /// The generation of the product: always `production`.
    pub version: &'static str,
    /// Tables; only where one database is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_tables: Option<u64>,
    /// Bytes; only where one database is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_size: Option<u64>,
    /// Whether there are replicas: there are none.
    pub read_replication: ReadReplication,
}

/// Replicas of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "D1ReadReplication")]
pub struct ReadReplication {
    /// `disabled`.
    pub mode: &'static str,
}

/// What statements cost and did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "D1Meta")]
pub struct Meta {
    served_by: &'static str,
    served_by_primary: bool,
    total_attempts: u32,
    timings: Timings,
    duration: f64,
    changes: u64,
    last_row_id: i64,
    changed_db: bool,
    size_after: u64,
    rows_read: u64,
    rows_written: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "D1Timings")]
struct Timings {
    sql_duration_ms: f64,
}

impl From<SqlMeta> for Meta {
    fn from(meta: SqlMeta) -> Self {
        // The clock of clients counts microseconds, too.
        let duration = (meta.duration_ms * 10_000.0).round() / 10_000.0;
        Self {
            served_by: "offprint",
            served_by_primary: true,
            total_attempts: 1,
            timings: Timings { sql_duration_ms: duration },
            duration,
            changes: meta.changes,
            last_row_id: meta.last_row_id,
            changed_db: meta.changed_db,
            size_after: meta.size_after,
            rows_read: meta.rows_read,
            rows_written: meta.rows_written,
        }
    }
}

/// Shapes of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// An object for each row; of columns with one name, the last.
    Objects,
    /// `{"columns": […], "rows": [[…]]}`.
    Arrays,
}

/// The answer of a query that succeeded.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "D1Answer")]
pub struct Answer {
    results: Shown,
    success: bool,
    meta: Meta,
}

#[derive(Clone, Debug)]
struct Shown {
    shape: Rows,
    columns: Vec<String>,
    rows: Vec<Vec<SqlValue>>,
}

/// The answer of a query that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    success: bool,
    error: String,
}

impl Answer {
    /// Shows a result.
    pub fn new(result: SqlResult, shape: Rows) -> Self {
        let meta = result.meta.into();
        Self { results: Shown { shape, columns: result.columns, rows: result.rows }, success: true, meta }
    }
}

impl Failure {
    /// A failure with its reason.
    pub const fn new(error: String) -> Self {
        Self { success: false, error }
    }
}

impl JsonSchema for Shown {
    fn schema_name() -> Cow<'static, str> {
        "D1Rows".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [
            { "type": "array", "items": { "type": "object" } },
            {
                "type": "object",
                "required": ["columns", "rows"],
                "properties": {
                    "columns": { "type": "array", "items": { "type": "string" } },
                    "rows": { "type": "array", "items": { "type": "array" } },
                },
            },
        ] })
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.shape {
            Rows::Arrays => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("columns", &self.columns)?;
                let rows: Vec<Vec<Cell<'_>>> =
                    self.rows.iter().map(|row| row.iter().map(Cell).collect()).collect();
                map.serialize_entry("rows", &rows)?;
                map.end()
            }
            Rows::Objects => {
                let is_last = |n: usize| !self.columns[n + 1..].contains(&self.columns[n]);
                let shown: Vec<usize> = (0..self.columns.len()).filter(|n| is_last(*n)).collect();
                let mut seq = serializer.serialize_seq(Some(self.rows.len()))?;
                for row in &self.rows {
                    seq.serialize_element(&Row { columns: &self.columns, shown: &shown, row })?;
                }
                seq.end()
            }
        }
    }
}

struct Row<'a> {
    columns: &'a [String],
    shown: &'a [usize],
    row: &'a [SqlValue],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.shown.len()))?;
        for n in self.shown {
            map.serialize_entry(&self.columns[*n], &Cell(&self.row[*n]))?;
        }
        map.end()
    }
}

/// A value as JSON: bytes are a list of numbers, and a number without end is `null`.
struct Cell<'a>(&'a SqlValue);

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            SqlValue::Null => serializer.serialize_unit(),
            SqlValue::Integer(number) => serializer.serialize_i64(*number),
            SqlValue::Real(number) => serializer.serialize_f64(*number),
            SqlValue::Text(text) => serializer.serialize_str(text),
            SqlValue::Blob(bytes) => bytes.serialize(serializer),
        }
    }
}

#[derive(Deserialize)]
struct RawQuery {
    sql: String,
    #[serde(default)]
    params: Option<Vec<RawParam>>,
}

/// Numbers are bound as JavaScript has them: as real numbers, which become whole ones in a column of that kind.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawParam {
    Null(()),
    Boolean(bool),
    Number(f64),
    Text(String),
    Bytes(Vec<Byte>),
}

/// Some clients write whole numbers with a fraction of nought, which JSON does not tell apart.
#[derive(Deserialize)]
#[serde(try_from = "f64")]
struct Byte(u8);

impl TryFrom<f64> for Byte {
    type Error = &'static str;

    fn try_from(number: f64) -> Result<Self, Self::Error> {
        // What is no byte becomes the nearest one, or nought.
        let byte = number as u8;
        if f64::from(byte) == number { Ok(Self(byte)) } else { Err("must be a whole number from 0 to 255") }
    }
}

impl From<RawQuery> for SqlQuery {
    fn from(raw: RawQuery) -> Self {
        let param = |raw| match raw {
            RawParam::Null(()) => SqlValue::Null,
            RawParam::Boolean(on) => SqlValue::Real(f64::from(u8::from(on))),
            RawParam::Number(number) => SqlValue::Real(number),
            RawParam::Text(text) => SqlValue::Text(text),
            RawParam::Bytes(bytes) => SqlValue::Blob(bytes.into_iter().map(|Byte(byte)| byte).collect()),
        };
        Self { sql: raw.sql, params: raw.params.unwrap_or_default().into_iter().map(param).collect() }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawQueries {
    Many(Vec<RawQuery>),
    Batch { batch: Vec<RawQuery> },
    One(RawQuery),
}

/// Reads queries: `{"sql", "params"}`, a list of such, or `{"batch": […]}`. A parameter is a text, a number, `true`,
/// `false`, `null`, or bytes as a list of numbers.
///
/// # Errors
/// The body is something else.
pub fn read_queries(body: &[u8]) -> Read<Vec<SqlQuery>> {
    let rule = "must be {\"sql\", \"params\"}, a list of such, or {\"batch\": […]}; a parameter is a text, a number, \
                true, false, null, or a list of bytes";
    let raw = serde_json::from_slice(body).map_err(|_| InvalidMember::new("", rule))?;
    let many = match raw {
        RawQueries::One(query) => vec![query],
        RawQueries::Many(queries) | RawQueries::Batch { batch: queries } => queries,
    };
    if many.len() > BATCH_MAX {
        return Err(InvalidMember::new("", format!("has more than {BATCH_MAX} queries")));
    }
    Ok(many.into_iter().map(SqlQuery::from).collect())
}

/// Reads the name from the body that makes a database. Where it is to be is accepted and makes no difference.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_creation(body: &[u8]) -> Read<ResourceName> {
    let value = parse(body)?;
    Node::root(&value).object()?.required("name", |node| {
        ResourceName::parse(ResourceKind::D1, node.str()?)
            .map_err(|rule| node.refuse(format!("is not valid: {rule}")))
    })
}

/// What a step of an import is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportAction {
    /// Say where a file with this MD5 is to be uploaded.
    Init {
        /// 32 hex digits.
        etag: String,
    },
    /// Run the file that was uploaded.
    Ingest {
        /// 32 hex digits.
        etag: String,
    },
    /// Say how far it is.
    Poll {
        /// What the last answer named.
        bookmark: String,
    },
}

/// Reads a step of an import.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_import(body: &[u8]) -> Read<ImportAction> {
    let value = parse(body)?;
    let object = Node::root(&value).object()?;
    let action = object.required("action", |node| node.one_of(&[("init", 0), ("ingest", 1), ("poll", 2)]))?;
    if action == 2 {
        return Ok(ImportAction::Poll { bookmark: object.required("current_bookmark", Node::text)? });
    }
    let etag = object.required("etag", |node| {
        let etag = node.str()?.to_ascii_lowercase();
        match etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => Ok(etag),
            false => Err(node.refuse("must be the MD5 of the file, in hex")),
        }
    })?;
    Ok(if action == 0 { ImportAction::Init { etag } } else { ImportAction::Ingest { etag } })
}

/// A bookmark: a name for what a database holds at a time. Later ones sort behind earlier ones.
pub fn bookmark(now: Timestamp) -> String {
    let micros = u64::try_from(now.as_micros()).unwrap_or_default();
    format!("{:08x}-{:08x}-00000000-{:032x}", micros >> 32, micros & 0xffff_ffff, micros)
}

/// Where a file is to be uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "D1UploadTarget")]
pub struct UploadTarget {
    /// To be named when it is to be run.
    pub filename: String,
    /// `PUT` it here.
    pub upload_url: String,
    /// Whether all is well.
    pub success: bool,
    /// For people.
    pub messages: Vec<String>,
}

/// How an import or an export is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "D1Progress{T}")]
pub struct Progress<T> {
    /// Whether all is well.
    pub success: bool,
    /// `import` or `export`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `active`, `complete` or `error`.
    pub status: &'static str,
    /// What to ask with how it goes on.
    pub at_bookmark: String,
    /// For people.
    pub messages: Vec<String>,
    /// What it yielded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<T>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "D1Imported")]
pub struct Imported {
    /// Statements.
    pub num_queries: u64,
    /// Where the database is now.
    pub final_bookmark: String,
    /// What they cost and did.
    pub meta: Meta,
}

/// Where an export is to be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "D1Exported")]
pub struct Exported {
    /// What to call it.
    pub filename: String,
    /// `GET` it here, without credentials, for an hour.
    pub signed_url: String,
}

/// What an export is to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpOptions {
    /// Leave the schema out.
    #[serde(default)]
    pub no_schema: bool,
    /// Leave the rows out.
    #[serde(default)]
    pub no_data: bool,
    /// Only these tables; none named: all.
    #[serde(default)]
    pub tables: Vec<String>,
}

/// Reads the body that asks for an export.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_export(body: &[u8]) -> Read<DumpOptions> {
    let value = parse(body)?;
    let object = Node::root(&value).object()?;
    let options = object.optional("dump_options", |node| {
        let options = node.object()?;
        Ok(DumpOptions {
            no_schema: options.optional("no_schema", Node::boolean)?.unwrap_or(false),
            no_data: options.optional("no_data", Node::boolean)?.unwrap_or(false),
            tables: options.optional("tables", Node::texts)?.unwrap_or_default(),
        })
    })?;
    Ok(options.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result() -> SqlResult {
        SqlResult {
            columns: ["b", "a", "b"].map(str::to_owned).to_vec(),
            rows: vec![
                vec![SqlValue::Integer(1), SqlValue::Real(f64::INFINITY), SqlValue::Text("x".into())],
                vec![SqlValue::Null, SqlValue::Real(1.5), SqlValue::Blob(vec![1, 255])],
            ],
            meta: SqlMeta::default(),
        }
    }

    #[test]
    fn rows_are_objects_or_arrays() {
        let shown = |shape| {
            let answer = serde_json::to_string(&Answer::new(result(), shape)).unwrap();
            answer.split(",\"success\"").next().unwrap().to_owned()
        };
        assert_eq!(shown(Rows::Objects), r#"{"results":[{"a":null,"b":"x"},{"a":1.5,"b":[1,255]}]"#);
        assert_eq!(
            shown(Rows::Arrays),
            r#"{"results":{"columns":["b","a","b"],"rows":[[1,null,"x"],[null,1.5,[1,255]]]}"#
        );
    }

    #[test]
    fn queries_come_alone_or_together() {
        let one = SqlQuery { sql: "x".into(), params: vec![] };
        for body in
            [r#"{"sql":"x"}"#, r#"[{"sql":"x","params":null}]"#, r#"{"batch":[{"sql":"x","params":[]}]}"#]
        {
            assert_eq!(read_queries(body.as_bytes()), Ok(vec![one.clone()]), "{body}");
        }
        let typed = read_queries(br#"{"sql":"x","params":[1,"t",null,true,[0,255.0],1.5]}"#).unwrap();
        use SqlValue::{Blob, Null, Real, Text};
        assert_eq!(
            typed[0].params,
            [Real(1.0), Text("t".into()), Null, Real(1.0), Blob(vec![0, 255]), Real(1.5)]
        );
        for body in [
            "{}",
            "7",
            r#"{"sql":7}"#,
            r#"{"sql":"x","params":[{}]}"#,
            r#"{"sql":"x","params":[[256]]}"#,
            r#"{"sql":"x","params":[[1.5]]}"#,
        ] {
            assert!(read_queries(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn imports_go_in_steps() {
        let etag = "0123456789abcdef0123456789ABCDEF";
        let init = read_import(format!(r#"{{"action":"init","etag":"{etag}"}}"#).as_bytes()).unwrap();
        assert_eq!(init, ImportAction::Init { etag: etag.to_ascii_lowercase() });
        for (body, path) in [
            ("{}", "action"),
            (r#"{"action":"x"}"#, "action"),
            (r#"{"action":"ingest","etag":"../x"}"#, "etag"),
            (r#"{"action":"poll"}"#, "current_bookmark"),
        ] {
            assert_eq!(read_import(body.as_bytes()).unwrap_err().path, path, "{body}");
        }
    }
}
