//! Reading a large payload into a small tree.
//!
//! A tree of JSON takes twenty times the memory of a text that is made for it, and a payload may have 25 MiB. So
//! only the members that somebody looks at are kept, and only so many values.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::MEMBERS;
use crate::json::{InvalidMember, Read};

/// More than twenty commits of three lists of this length have. What comes later in a payload of more than that is
/// not looked at: it has too many commits or too many files for its paths to count.
const VALUES_MAX: usize = 256 * 1024;
/// An object takes the memory of so many other values.
const OBJECT_VALUES: usize = 16;
/// More files than are ever looked at.
const ELEMENTS_MAX: usize = 3072;

/// Reads a payload, which must be an object.
///
/// # Errors
/// It is not JSON.
pub(super) fn parse(body: &[u8]) -> Read<Value> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let mut values = 0;
    let read = Pruned { values: &mut values }.deserialize(&mut reader);
    read.and_then(|value| reader.end().map(|()| value))
        .map_err(|error| InvalidMember::new("", format!("is not valid JSON: {error}")))
}

struct Pruned<'v> {
    /// How many values are kept so far.
    values: &'v mut usize,
}

impl Pruned<'_> {
    /// So many values more; whether there is room for others.
    fn count(&mut self, values: usize) -> bool {
        *self.values += values;
        *self.values < VALUES_MAX
    }
}

impl<'de> DeserializeSeed<'de> for Pruned<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pruned<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < ELEMENTS_MAX && self.count(1) {
            match elements.next_element_seed(Pruned { values: self.values })? {
                Some(element) => kept.push(element),
                None => return Ok(Value::Array(kept)),
            }
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(kept))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        self.count(OBJECT_VALUES);
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            if MEMBERS.binary_search(&&*name).is_ok() && self.count(1) {
                let value = members.next_value_seed(Pruned { values: self.values })?;
                kept.insert(name.into_owned(), value);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Value::Object(kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn only_the_members_that_are_looked_at_are_kept() {
        let body = br#" {"ref": "a", "x": [1], "commits": [{"id": "1", "y": {"id": 2}}], "\u0069d": 3} "#;
        assert_eq!(parse(body), Ok(json!({"ref": "a", "commits": [{"id": "1"}], "id": 3})));
        for bad in ["", "{", "{\"x\":1}x", "{\"id\":}", "{\"x\":01}"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn members_are_in_order() {
        assert!(MEMBERS.is_sorted(), "they are searched by halves");
    }

    #[test]
    fn a_list_without_end_has_one() {
        let many = format!("{{\"added\":[{}0]}}", "0,".repeat(100_000));
        assert_eq!(parse(many.as_bytes()).unwrap()["added"].as_array().unwrap().len(), ELEMENTS_MAX);
        let lists = format!("[{}0]", "0,".repeat(5_000));
        let wide = format!("{{\"commits\":[{}0]}}", format!("{{\"added\":{lists}}},").repeat(200));
        fn count(value: &Value) -> usize {
            match value {
                Value::Array(elements) => 1 + elements.iter().map(count).sum::<usize>(),
                Value::Object(members) => 1 + members.values().map(count).sum::<usize>(),
                _ => 1,
            }
        }
        let kept = count(&parse(wide.as_bytes()).unwrap());
        assert!((VALUES_MAX / 2..VALUES_MAX + 10).contains(&kept), "{kept}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }
    }
}
