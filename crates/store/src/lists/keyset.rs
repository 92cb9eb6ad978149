//! The order of a list, and the condition "after this row": both must rank nulls the same way, or rows vanish at the
//! borders of pages.

use offprint_model::listing::{Entity, Nulls, Order, OrderKey};

use super::columns::{Column, column};
use super::cursor::Key;
use super::query::Query;

/// Writes what comes after ORDER BY. Where nulls stand is said with a key of its own, since the databases disagree.
pub(super) fn order_by(query: &mut Query, entity: Entity, order: &Order) {
    for (n, key) in order.keys().iter().enumerate() {
        if n > 0 {
            query.push(", ");
        }
        let column = column(entity, key.field);
        if key.field.nullable {
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

/// Writes that a row comes after the one with these keys; with `or_at`, or is that one.
pub(super) fn beyond(query: &mut Query, entity: Entity, order: &Order, at: &[Key], or_at: bool) {
    if is_plain(order) {
        return row_value(query, entity, order, at, or_at);
    }
    let keys: Vec<(&OrderKey, &Key)> = order.keys().iter().zip(at).collect();
    query.push("(");
    if let Some(((key, value), _)) = keys.split_first()
        && !key.field.nullable
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
        later(query, column(entity, key.field), key, value, last && or_at);
        query.push(")");
    }
    query.push("))");
}

/// Whether all keys go the same way and are never null: then the keys are compared as one, which an index does at once.
fn is_plain(order: &Order) -> bool {
    let first = order.keys().first().map(|key| key.direction.descending);
    order.keys().iter().all(|key| !key.field.nullable && Some(key.direction.descending) == first)
}

fn row_value(query: &mut Query, entity: Entity, order: &Order, at: &[Key], or_at: bool) {
    query.push("(");
    for (n, key) in order.keys().iter().enumerate() {
        if n > 0 {
            query.push(", ");
        }
        column(entity, key.field).write(query, "t0");
    }
    let descending = order.keys().iter().all(|key| key.direction.descending);
    query.push(match (descending, or_at) {
        (true, true) => ") <= ",
        (true, false) => ") < ",
        (false, true) => ") >= ",
        (false, false) => ") > ",
    });
    query.bind_all(at);
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

/// Writes that a field comes after a value; with `or_same`, or is the same.
fn later(query: &mut Query, column: Column, key: &OrderKey, value: &Key, or_same: bool) {
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
            if key.field.nullable && nulls == Nulls::Last {
                query.push(" OR ");
                column.write(query, "t0");
                query.push(" IS NULL");
            }
        }
    }
    query.push(")");
}
