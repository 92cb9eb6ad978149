//! The order of a list, and the condition "after this row": both must rank nulls the same way, or rows vanish at the
//! borders of pages.
//!
//! A list whose first key may be null is asked for in two parts, those rows where it is and those where it is not: in each
//! of them an index is followed from the place in question on. Keys behind the first are few rows' matter.

use offprint_model::listing::{Entity, Nulls, Order, OrderKey};

use super::columns::{Column, column};
use super::cursor::Key;
use super::query::Query;

/// A part of a list, or all of it.
pub(super) struct Part<'a> {
    /// The key that is null in the whole part, or nowhere in it.
    settled: Option<(&'a OrderKey, bool)>,
    /// By which the part is ordered. A settled key that is null orders nothing.
    keys: &'a [OrderKey],
    /// After which the part begins; `None`: with its first row.
    at: Option<&'a [Key]>,
}

/// The parts of a list that come after a row, in their order.
pub(super) fn parts<'a>(order: &'a Order, after: Option<&'a [Key]>) -> Vec<Part<'a>> {
    let keys = order.keys();
    let Some((first, rest)) = keys.split_first().filter(|(first, _)| first.field.nullable) else {
        return vec![Part { settled: None, keys, at: after }];
    };
    let set = |at| Part { settled: Some((first, false)), keys, at };
    let null = |at| Part { settled: Some((first, true)), keys: rest, at };
    match (first.direction.nulls, after) {
        (Nulls::Last, None) => vec![set(None), null(None)],
        (Nulls::First, None) => vec![null(None), set(None)],
        (Nulls::Last, Some([Key::Null, at @ ..])) => vec![null(Some(at))],
        (Nulls::First, Some([Key::Null, at @ ..])) => vec![null(Some(at)), set(None)],
        (Nulls::Last, Some(at)) => vec![set(Some(at)), null(None)],
        (Nulls::First, Some(at)) => vec![set(Some(at))],
    }
}

impl Part<'_> {
    /// Writes the condition that a row is in the part, behind its beginning; with `or_at`, or there.
    pub(super) fn restrict(&self, query: &mut Query, entity: Entity, or_at: bool) {
        if let Some((key, is_null)) = self.settled {
            query.push(" AND ");
            column(entity, key.field).write(query, "t0");
            query.push(if is_null { " IS NULL" } else { " IS NOT NULL" });
        }
        if let Some(at) = self.at {
            query.push(" AND ");
            self.beyond(query, entity, at, or_at);
        }
    }

    /// Writes what comes after ORDER BY. Where nulls stand is said with a key of its own, since the databases disagree.
    pub(super) fn order_by(&self, query: &mut Query, entity: Entity) {
        for (n, key) in self.keys.iter().enumerate() {
            if n > 0 {
                query.push(", ");
            }
            let column = column(entity, key.field);
            if self.may_be_null(key) {
                column.write(query, "t0");
                query.push(match key.direction.nulls {
                    Nulls::First => " IS NULL DESC, ",
                    Nulls::Last => " IS NULL, ",
                });
            }
            column.write(query, "t0");
            if key.direction.descending {
                query.push(" DESC");
            }
        }
    }

    fn may_be_null(&self, key: &OrderKey) -> bool {
        key.field.nullable && self.settled.is_none_or(|(settled, _)| settled.field != key.field)
    }

    fn beyond(&self, query: &mut Query, entity: Entity, at: &[Key], or_at: bool) {
        if self.is_plain() {
            return self.row_value(query, entity, at, or_at);
        }
        let keys: Vec<(&OrderKey, &Key)> = self.keys.iter().zip(at).collect();
        query.push("(");
        if let Some(((key, value), _)) = keys.split_first()
            && !self.may_be_null(key)
        {
            // What follows implies this; said first, it lets an index begin in the right place.
            column(entity, key.field).write(query, "t0");
            query.push(if key.direction.descending { " <= " } else { " >= " }).bind(*value).push(" AND ");
        }
        query.push("(1 = 0");
        for (n, (key, value)) in keys.iter().enumerate() {
            let last = n + 1 == keys.len();
            if is_last_of_all(key, value) && !(last && or_at) {
                continue;
            }
            query.push(" OR (");
            for (before, same) in &keys[..n] {
                equal(query, column(entity, before.field), same);
                query.push(" AND ");
            }
            self.later(query, column(entity, key.field), (key, value), last && or_at);
            query.push(")");
        }
        query.push("))");
    }

    /// Whether all keys go the same way and are never null: then they are compared as one, which an index does at once.
    fn is_plain(&self) -> bool {
        let first = self.keys.first().map(|key| key.direction.descending);
        self.keys.iter().all(|key| !self.may_be_null(key) && Some(key.direction.descending) == first)
    }

    fn row_value(&self, query: &mut Query, entity: Entity, at: &[Key], or_at: bool) {
        query.push("(");
        for (n, key) in self.keys.iter().enumerate() {
            if n > 0 {
                query.push(", ");
            }
            column(entity, key.field).write(query, "t0");
        }
        let descending = self.keys.iter().all(|key| key.direction.descending);
        query.push(match (descending, or_at) {
            (true, true) => ") <= ",
            (true, false) => ") < ",
            (false, true) => ") >= ",
            (false, false) => ") > ",
        });
        query.bind_all(at);
    }

    /// Writes that a field comes after a value; with `or_same`, or is the same.
    fn later(&self, query: &mut Query, column: Column, (key, value): (&OrderKey, &Key), or_same: bool) {
        query.push("(");
        match (value, key.direction.nulls) {
            (Key::Null, Nulls::Last) => {
                column.write(query, "t0");
                query.push(" IS NULL");
            }
            (Key::Null, Nulls::First) if or_same => {
                query.push("1 = 1");
            }
            (Key::Null, Nulls::First) => {
                column.write(query, "t0");
                query.push(" IS NOT NULL");
            }
            (value, nulls) => {
                column.write(query, "t0");
                query.push(match (key.direction.descending, or_same) {
                    (true, true) => " <= ",
                    (true, false) => " < ",
                    (false, true) => " >= ",
                    (false, false) => " > ",
                });
                query.bind(value);
                if self.may_be_null(key) && nulls == Nulls::Last {
                    query.push(" OR ");
                    column.write(query, "t0");
                    query.push(" IS NULL");
                }
            }
        }
        query.push(")");
    }
}

/// Whether nothing comes after this value.
fn is_last_of_all(key: &OrderKey, value: &Key) -> bool {
    *value == Key::Null && key.direction.nulls == Nulls::Last
}

fn equal(query: &mut Query, column: Column, value: &Key) {
    column.write(query, "t0");
    match value {
        Key::Null => query.push(" IS NULL"),
        value => query.push(" = ").bind(value),
    };
}
