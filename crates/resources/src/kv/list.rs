//! Pages of keys. A cursor is the last key of its page, so a page begins where the one before ended whatever was
//! written meanwhile.

use base64_simd::URL_SAFE_NO_PAD;
use rusqlite::{Connection, params};

use crate::error::{ResourceError, Result};

const LIST: &str = "SELECT key, metadata, expires FROM entry
    WHERE key >= ?1 AND key > ?2 AND (?3 IS NULL OR key < ?3) AND (expires IS NULL OR expires > ?4)
    ORDER BY key LIMIT ?5";

/// Which keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvList {
    /// Those that begin with this.
    pub prefix: String,
    /// Those behind this; `None`: from the first.
    pub after: Option<KvPosition>,
    /// So many at the most.
    pub limit: usize,
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvPosition(Vec<u8>);

/// A key of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvListed {
    /// The key.
    pub name: String,
    /// Its metadata, JSON.
    pub metadata: Option<String>,
    /// When it expires, in seconds since the Unix epoch.
    pub expires: Option<u64>,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvPage {
    /// Its keys.
    pub keys: Vec<KvListed>,
    /// Where the next page begins; `None`: this is the last.
    pub next: Option<KvPosition>,
}

impl KvPosition {
    /// Reads a cursor. `None`: it is none of ours.
    pub fn of_cursor(cursor: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode_to_vec(cursor).ok().map(Self)
    }

    /// The cursor for clients, who know nothing of what it holds.
    pub fn cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode_to_string(&self.0)
    }
}

impl KvList {
    pub(super) fn read(&self, reader: &Connection, now_s: u64) -> Result<KvPage> {
        let after: &[u8] = self.after.as_ref().map_or(&[], |position| &position.0);
        let end = successor(self.prefix.as_bytes());
        let mut statement = reader.prepare_cached(LIST)?;
        // One more than asked for tells whether there is a next page.
        let limit = i64::try_from(self.limit.saturating_add(1)).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![self.prefix.as_bytes(), after, end, now_s, limit])?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            let name = String::from_utf8(row.get(0)?);
            let name = name.map_err(|error| ResourceError::Corrupt(format!("a key: {error}")))?;
            keys.push(KvListed { name, metadata: row.get(1)?, expires: row.get(2)? });
        }
        let more = keys.len() > self.limit;
        keys.truncate(self.limit);
        let next = keys.last().filter(|_| more).map(|last| KvPosition(last.name.clone().into_bytes()));
        Ok(KvPage { keys, next })
    }
}

/// The first bytes behind all that begin with a prefix; `None`: there are none.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let cut = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut end = prefix[..=cut].to_vec();
    end[cut] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_successor_divides_what_has_a_prefix_from_what_is_behind(
            prefix in prop::collection::vec(any::<u8>(), 0..4),
            other in prop::collection::vec(any::<u8>(), 0..6),
        ) {
            let end = successor(&prefix);
            let within = other >= prefix && end.is_none_or(|end| other < end);
            prop_assert_eq!(within, other.starts_with(&prefix));
        }
    }

    #[test]
    fn a_cursor_is_a_position() {
        let position = KvPosition("a/ü".into());
        assert_eq!(KvPosition::of_cursor(&position.cursor()), Some(position));
        assert_eq!(KvPosition::of_cursor("no base64!"), None);
    }
}
