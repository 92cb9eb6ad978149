//! Cursors: the place of a row in an order, in a form that only we can make.
//!
//! A cursor is a version, a print of the list it belongs to, the keys of the row, and a tag over all that, in hex
//! digits. Used with another filter or order it would skip rows without a word, so it is refused.

use offprint_model::listing::{Entity, Filter, Order, Value};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::crypt::{Keys, hex, unhex};
use crate::db::IntoValue;
use crate::error::{Result, StoreError};

const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;

/// Why a cursor is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCursor {
    /// It is not one that this server has made.
    #[error("is not a cursor of this server")]
    Unknown,
    /// It is of a list with another filter or order.
    #[error("belongs to a list with another filter or orderBy")]
    OfAnotherList,
}

/// The value of one key of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Key {
    Null,
    Text(String),
    /// A number, or a time.
    Number(i64),
    Flag(bool),
}

impl Key {
    pub(super) fn of(value: Option<&Value>) -> Self {
        match value {
            None => Self::Null,
            Some(Value::Text(text) | Value::Json(text)) => Self::Text(text.clone()),
            Some(Value::Number(number)) => Self::Number(*number),
            Some(Value::Time(time)) => Self::Number(time.as_micros()),
            Some(Value::Flag(flag)) => Self::Flag(*flag),
        }
    }
}

impl IntoValue for &Key {
    fn into_value(self) -> sea_orm::Value {
        match self {
            Key::Null => None::<String>.into_value(),
            Key::Text(text) => text.as_str().into_value(),
            Key::Number(number) => number.into_value(),
            Key::Flag(flag) => flag.into_value(),
        }
    }
}

impl IntoValue for &Value {
    fn into_value(self) -> sea_orm::Value {
        match self {
            Value::Text(text) | Value::Json(text) => text.as_str().into_value(),
            Value::Number(number) => number.into_value(),
            Value::Time(time) => time.into_value(),
            Value::Flag(flag) => flag.into_value(),
        }
    }
}

/// Names a list: the entity, the filter and the order. Lists with the same print are the same list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Print([u8; 8]);

pub(super) fn print(entity: Entity, filter: &Filter, order: &Order) -> Print {
    let hash = blake3::hash(format!("{entity:?} {filter:?} {order:?}").as_bytes());
    let mut print = [0; 8];
    print.copy_from_slice(&hash.as_bytes()[..8]);
    Print(print)
}

/// The cursor of a row.
pub(super) fn write(keys: &Keys, print: Print, at: &[Key]) -> Result<String> {
    let mut bytes = vec![VERSION];
    let body = postcard::to_allocvec(&(print, at));
    bytes.extend(body.map_err(|error| StoreError::Corrupt(format!("a cursor: {error}")))?);
    let tag = tag(keys, &bytes);
    bytes.extend(tag);
    Ok(hex(&bytes))
}

/// The place that a cursor names.
///
/// # Errors
/// `BadCursor`.
pub(super) fn read(keys: &Keys, print: Print, order: &Order, text: &str) -> Result<Vec<Key>> {
    let bytes = unhex(text).ok_or(BadCursor::Unknown)?;
    let (body, claimed) = bytes.split_last_chunk::<TAG_BYTES>().ok_or(BadCursor::Unknown)?;
    if !bool::from(tag(keys, body).ct_eq(claimed)) {
        return Err(BadCursor::Unknown.into());
    }
    let (version, body) = body.split_first().ok_or(BadCursor::Unknown)?;
    if *version != VERSION {
        return Err(BadCursor::Unknown.into());
    }
    let (of, at): (Print, Vec<Key>) = postcard::from_bytes(body).map_err(|_| BadCursor::Unknown)?;
    if of != print || at.len() != order.keys().len() {
        return Err(BadCursor::OfAnotherList.into());
    }
    Ok(at)
}

fn tag(keys: &Keys, bytes: &[u8]) -> [u8; TAG_BYTES] {
    let hash = blake3::keyed_hash(keys.cursors.expose(), bytes);
    let mut tag = [0; TAG_BYTES];
    tag.copy_from_slice(&hash.as_bytes()[..TAG_BYTES]);
    tag
}
