//! Orders: fields with directions, and where nulls stand.

use super::{Entity, Field};

/// Fields of one order.
pub const KEYS_MAX: usize = 5;

/// Where nulls stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// Before all values.
    First,
    /// After all values.
    Last,
}

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// From the greatest to the least.
    pub descending: bool,
    /// Where nulls stand.
    pub nulls: Nulls,
}

impl Direction {
    /// All directions with their names: of the two without a word on nulls, `asc` puts them last and `desc` first, as
    /// though null were the greatest value.
    pub const NAMED: [(&'static str, Self); 6] = [
        ("asc", Self { descending: false, nulls: Nulls::Last }),
        ("desc", Self { descending: true, nulls: Nulls::First }),
        ("asc_nulls_first", Self { descending: false, nulls: Nulls::First }),
        ("asc_nulls_last", Self { descending: false, nulls: Nulls::Last }),
        ("desc_nulls_first", Self { descending: true, nulls: Nulls::First }),
        ("desc_nulls_last", Self { descending: true, nulls: Nulls::Last }),
    ];

    /// The direction of this name; `AscNullsFirst` is another spelling of `asc_nulls_first`.
    pub fn parse(name: &str) -> Option<Self> {
        let same = |known: &str| {
            let letters = |text: &str| text.replace('_', "").to_ascii_lowercase();
            known == name
                || (name.starts_with(['A', 'D']) && !name.contains('_') && letters(known) == letters(name))
        };
        Self::NAMED.into_iter().find(|(known, _)| same(known)).map(|(_, direction)| direction)
    }

    /// From the other end.
    #[must_use]
    pub const fn reversed(self) -> Self {
        let nulls = match self.nulls {
            Nulls::First => Nulls::Last,
            Nulls::Last => Nulls::First,
        };
        Self { descending: !self.descending, nulls }
    }
}

/// A field and its direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderKey {
    /// The field.
    pub field: &'static Field,
    /// Its direction.
    pub direction: Direction,
}

/// A total order of an entity: the id is always its last key.
#[derive(Clone, Debug, PartialEq)]
pub struct Order(Vec<OrderKey>);

impl Order {
    /// By these keys, and last by the id, in the direction of the key before it. What comes after an id decides
    /// nothing, and a field that stands there twice counts once.
    pub fn new(entity: Entity, keys: Vec<OrderKey>) -> Self {
        let mut total: Vec<OrderKey> = Vec::with_capacity(keys.len() + 1);
        for key in keys {
            if total.iter().any(|before| before.field == key.field || before.field.name == "id") {
                continue;
            }
            total.push(key);
        }
        let has_id = total.last().is_some_and(|last| last.field.name == "id");
        if !has_id && let Some(field) = entity.field("id") {
            let descending = total.last().is_some_and(|last| last.direction.descending);
            let nulls = if descending { Nulls::First } else { Nulls::Last };
            total.push(OrderKey { field, direction: Direction { descending, nulls } });
        }
        Self(total)
    }

    /// The newest first.
    pub fn newest_first(entity: Entity) -> Self {
        let direction = Direction { descending: true, nulls: Nulls::First };
        let created = entity.field("createdAt").map(|field| OrderKey { field, direction });
        Self::new(entity, created.into_iter().collect())
    }

    /// Its keys, the id last.
    pub fn keys(&self) -> &[OrderKey] {
        &self.0
    }

    /// From the other end.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let turn = |key: &OrderKey| OrderKey { field: key.field, direction: key.direction.reversed() };
        Self(self.0.iter().map(turn).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_have_two_spellings() {
        for (name, direction) in Direction::NAMED {
            assert_eq!(Direction::parse(name), Some(direction));
        }
        for (name, known) in
            [("AscNullsFirst", "asc_nulls_first"), ("DescNullsLast", "desc_nulls_last"), ("Desc", "desc")]
        {
            assert_eq!(Direction::parse(name), Direction::parse(known), "{name}");
        }
        for unknown in ["", "ASC ", "ascending", "nulls_first", "asc_nullsfirst", "A_sc"] {
            assert_eq!(Direction::parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn an_order_is_total_and_names_nothing_twice() {
        let key = |name: &str, direction: &str| OrderKey {
            field: Entity::Deploy.field(name).unwrap(),
            direction: Direction::parse(direction).unwrap(),
        };
        let names = |keys: Vec<OrderKey>| {
            let order = Order::new(Entity::Deploy, keys);
            order.keys().iter().map(|key| (key.field.name, key.direction.descending)).collect::<Vec<_>>()
        };
        assert_eq!(names(vec![]), [("id", false)]);
        assert_eq!(names(vec![key("status", "desc")]), [("status", true), ("id", true)]);
        assert_eq!(
            names(vec![key("status", "desc"), key("status", "asc"), key("id", "asc"), key("error", "asc")]),
            [("status", true), ("id", false)]
        );
        assert_eq!(
            Order::newest_first(Entity::Deploy).reversed().reversed(),
            Order::newest_first(Entity::Deploy)
        );
    }
}
