//! Lists of objects.
//!
//! In the order of the bytes of their keys. With a delimiter, keys that share what comes before it count as one
//! prefix; it is passed over by looking up the first key behind it, so that a bucket of a million objects in one
//! folder is listed with two look-ups.

use std::collections::BTreeMap;

use offprint_model::object::{Object, ObjectKey};

use super::object_of;
use crate::db::{Rows, Tx, values};
use crate::error::Result;
use crate::open::Store;
use crate::resources::Resource;

const FROM: &str = "SELECT key, version, size, etag, uploaded, metadata FROM object
    WHERE bucket = $1 AND key >= $2 AND ($3 IS NULL OR key < $3) ORDER BY key LIMIT $4";
const AFTER: &str = "SELECT key, version, size, etag, uploaded, metadata FROM object
    WHERE bucket = $1 AND key > $2 AND key >= $5 AND ($3 IS NULL OR key < $3) ORDER BY key LIMIT $4";

/// What an object adds to an answer beside its texts, in bytes.
const OBJECT_BYTES: usize = 300;

/// Which objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectList {
    /// Those whose keys begin with this.
    pub prefix: String,
    /// Keys with this behind the prefix count as one, up to and with it. Empty: none do.
    pub delimiter: String,
    /// Those behind this.
    pub after: Option<ObjectPosition>,
    /// Objects and prefixes, so many at the most.
    pub limit: usize,
    /// Their keys and metadata together take about so many bytes at the most; one is always listed.
    pub bytes_max: usize,
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectPosition {
    /// Behind this key.
    Key(String),
    /// Behind all keys with this prefix.
    Prefix(String),
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPage {
    /// Objects, in the order of their keys.
    pub objects: Vec<Object>,
    /// Prefixes up to and with the delimiter, in order.
    pub prefixes: Vec<String>,
    /// Where the next page begins; `None`: this is the last.
    pub next: Option<ObjectPosition>,
}

impl Store {
    /// A page of a bucket's objects, as they were at one moment.
    pub async fn list_objects(&self, bucket: &Resource, list: &ObjectList) -> Result<ObjectPage> {
        let tx = self.objects_db().read().await?;
        let mut page = ObjectPage::default();
        let mut position = list.after.clone();
        let (mut count, mut bytes) = (0, 0);
        loop {
            // One more than there is room for tells whether there is a next page.
            let wanted = list.limit.saturating_sub(count).saturating_add(1);
            let rows = self.rows_behind(&tx, bucket, list, position.as_ref(), wanted).await?;
            let is_rest = rows.len() < wanted;
            for (key, object) in rows {
                if matches!(&position, Some(ObjectPosition::Prefix(passed)) if key.starts_with(passed.as_str()))
                {
                    continue;
                }
                let size = key.len() + OBJECT_BYTES + metadata_size(&object);
                if count >= list.limit || (count > 0 && bytes + size > list.bytes_max) {
                    page.next = position;
                    return Ok(page);
                }
                (count, bytes) = (count + 1, bytes + size);
                position = Some(match common_prefix(&key, list) {
                    Some(prefix) => {
                        page.prefixes.push(prefix.clone());
                        ObjectPosition::Prefix(prefix)
                    }
                    None => {
                        page.objects.push(object);
                        ObjectPosition::Key(key)
                    }
                });
            }
            if is_rest {
                return Ok(page);
            }
        }
    }

    async fn rows_behind(
        &self,
        tx: &Tx,
        bucket: &Resource,
        list: &ObjectList,
        position: Option<&ObjectPosition>,
        wanted: usize,
    ) -> Result<BTreeMap<String, Object>> {
        let (bucket, end) = (bucket.id().as_str(), successor(&list.prefix));
        let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
        let rows = match position {
            None => tx.all(FROM, values![bucket, &list.prefix, end, wanted]).await?,
            Some(ObjectPosition::Key(key)) => {
                tx.all(AFTER, values![bucket, key, end, wanted, &list.prefix]).await?
            }
            Some(ObjectPosition::Prefix(prefix)) => match successor(prefix) {
                None => Vec::new(),
                Some(next) => {
                    let next = next.max(list.prefix.clone());
                    tx.all(FROM, values![bucket, next, end, wanted]).await?
                }
            },
        };
        let keyed = |row| {
            let object = object_of(&row)?;
            Ok((object.key.as_str().to_owned(), object))
        };
        rows.into_iter().map(keyed).collect()
    }
}

/// The key up to and with the first delimiter behind the prefix.
fn common_prefix(key: &str, list: &ObjectList) -> Option<String> {
    if list.delimiter.is_empty() {
        return None;
    }
    let at = key.get(list.prefix.len()..)?.find(&list.delimiter)?;
    Some(key[..list.prefix.len() + at + list.delimiter.len()].to_owned())
}

/// The first text behind all that begin with a prefix, in the order of bytes, which is that of characters; `None`:
/// there is none.
fn successor(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match u32::from(last) + 1 {
            // Surrogates are no characters.
            0xd800 => char::from_u32(0xe000),
            next => char::from_u32(next),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

fn metadata_size(object: &Object) -> usize {
    let http = [
        &object.http.content_type,
        &object.http.content_language,
        &object.http.content_disposition,
        &object.http.content_encoding,
        &object.http.cache_control,
    ];
    let http: usize = http.into_iter().flatten().map(String::len).sum();
    let custom = object.custom.pairs().iter().map(|(name, value)| name.len() + value.len() + 20);
    http + custom.sum::<usize>()
}

/// A key for tests and cursors.
impl From<ObjectKey> for ObjectPosition {
    fn from(key: ObjectKey) -> Self {
        Self::Key(key.as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_successor_divides_what_has_a_prefix_from_what_is_behind(
            prefix in "[a\u{d7ff}\u{e000}\u{10ffff}é]{0,3}",
            other in "[a\u{d7ff}\u{e000}\u{10ffff}é]{0,5}",
        ) {
            let end = successor(&prefix);
            let within = other >= prefix && end.is_none_or(|end| other < end);
            prop_assert_eq!(within, other.starts_with(&prefix));
        }
    }
}
