//! The meaning of filters and orders, as plainly as it can be written.

use std::cmp::Ordering;

use offprint_model::listing::{
    Entity, Filter, LikePattern, Nulls, Order, OrderKey, Quantifier, Relation, Test, Value,
};

use super::data::{Data, Row};

/// The ids of the rows that pass, in order.
pub(super) fn ids(
    data: &Data,
    workspace: usize,
    entity: Entity,
    filter: &Filter,
    order: &Order,
) -> Vec<String> {
    let seen = |row: &&Row| row.owners.get(&Entity::Workspace) == Some(&workspace);
    let mut rows: Vec<&Row> = data.of(entity).iter().filter(seen).collect();
    rows.retain(|row| passes(data, entity, row, filter));
    rows.sort_by(|a, b| {
        let by_keys =
            order.keys().iter().map(|key| compare(key, value(a, key.field.name), value(b, key.field.name)));
        by_keys.fold(Ordering::Equal, Ordering::then)
    });
    let id = |row: &Row| match &row.values["id"] {
        Some(Value::Text(id)) => id.clone(),
        other => panic!("{other:?}"),
    };
    rows.into_iter().map(id).collect()
}

fn value<'a>(row: &'a Row, name: &str) -> Option<&'a Value> {
    row.values.get(name).unwrap_or_else(|| panic!("no {name} in {row:?}")).as_ref()
}

fn compare(key: &OrderKey, a: Option<&Value>, b: Option<&Value>) -> Ordering {
    let null_first = key.direction.nulls == Nulls::First;
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => {
            if null_first {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        (Some(_), None) => {
            if null_first {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
        (Some(a), Some(b)) => {
            if key.direction.descending {
                b.cmp(a)
            } else {
                a.cmp(b)
            }
        }
    }
}

fn passes(data: &Data, entity: Entity, row: &Row, filter: &Filter) -> bool {
    match filter {
        Filter::All(all) => all.iter().all(|filter| passes(data, entity, row, filter)),
        Filter::Any(any) => any.iter().any(|filter| passes(data, entity, row, filter)),
        Filter::Not(inner) => !passes(data, entity, row, inner),
        Filter::Field(field, test) => test_passes(value(row, field.name), test),
        Filter::Related(relation, quantifier, inner) => {
            let related = related(data, entity, row, relation);
            let mut passing = related.iter().map(|row| passes(data, relation.to, row, inner));
            match quantifier {
                Quantifier::Some => passing.any(|passes| passes),
                Quantifier::None => !passing.any(|passes| passes),
                Quantifier::Every => passing.all(|passes| passes),
            }
        }
    }
}

fn related<'a>(data: &'a Data, entity: Entity, row: &Row, relation: &Relation) -> Vec<&'a Row> {
    if !relation.many {
        return row.owners.get(&relation.to).map(|index| &data.of(relation.to)[*index]).into_iter().collect();
    }
    let own = data.of(entity).iter().position(|other| other.values["id"] == row.values["id"]).unwrap();
    data.of(relation.to).iter().filter(|other| other.owners.get(&entity) == Some(&own)).collect()
}

fn test_passes(value: Option<&Value>, test: &Test) -> bool {
    let is = |wanted: &Value| value.is_some_and(|value| shown(value) == exact(wanted));
    let compared = |wanted: &Value| value.map(|value| shown(value).cmp(&exact(wanted)));
    let like = |pattern: &LikePattern| match value {
        Some(Value::Text(text)) => is_like(text, pattern),
        _ => false,
    };
    match test {
        Test::Eq(wanted) => is(wanted),
        Test::Ne(wanted) => !is(wanted),
        Test::Gt(wanted) => compared(wanted) == Some(Ordering::Greater),
        Test::Gte(wanted) => matches!(compared(wanted), Some(Ordering::Greater | Ordering::Equal)),
        Test::Lt(wanted) => compared(wanted) == Some(Ordering::Less),
        Test::Lte(wanted) => matches!(compared(wanted), Some(Ordering::Less | Ordering::Equal)),
        Test::In(wanted) => wanted.iter().any(is),
        Test::NotIn(wanted) => !wanted.iter().any(is),
        Test::Like(pattern) => like(pattern),
        Test::NotLike(pattern) => !like(pattern),
        Test::IsNull => value.is_none(),
        Test::IsNotNull => value.is_some(),
    }
}

/// Times count as they are shown: in whole milliseconds.
fn shown(value: &Value) -> Value {
    match value {
        Value::Time(time) => Value::Number(time.as_micros().div_euclid(1000) * 1000),
        other => other.clone(),
    }
}

fn exact(value: &Value) -> Value {
    match value {
        Value::Time(time) => Value::Number(time.as_micros()),
        other => other.clone(),
    }
}

fn is_like(text: &str, pattern: &LikePattern) -> bool {
    let fold = |text: &str| if pattern.ignores_case { text.to_ascii_lowercase() } else { text.to_owned() };
    let text: Vec<char> = fold(text).chars().collect();
    let pattern: Vec<char> = fold(&pattern.text).chars().collect();
    like_from(&text, &pattern)
}

fn like_from(text: &[char], pattern: &[char]) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['%', rest @ ..], text) => (0..=text.len()).any(|n| like_from(&text[n..], rest)),
        (['_', rest @ ..], [_, text @ ..]) => like_from(text, rest),
        (['\\', literal, rest @ ..], [first, text @ ..]) => literal == first && like_from(text, rest),
        ([literal, rest @ ..], [first, text @ ..]) if *literal != '\\' => {
            literal == first && like_from(text, rest)
        }
        _ => false,
    }
}

#[test]
fn the_naive_patterns_are_right() {
    let like = |text: &str, pattern: &str, ignores_case| {
        is_like(text, &LikePattern { text: pattern.into(), ignores_case })
    };
    assert!(
        like("Disk Full", "D%l", false) && !like("Disk Full", "d%l", false) && like("Disk Full", "d%L", true)
    );
    assert!(like("10%", "10\\%", false) && !like("10x", "10\\%", false) && like("", "%", false));
}
