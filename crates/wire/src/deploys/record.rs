//! Records as clients read them: every field of the description is there, and what is absent is null.

use std::fmt;

use chrono::{DateTime, SecondsFormat};
use offprint_model::listing::{Record, Value};
use offprint_model::time::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value as Json;

/// A record, with what is shown of it beside its fields.
pub struct Shown<'a> {
    /// The record.
    pub record: &'a Record,
    /// Further members; they win over fields of the same name.
    pub more: Vec<(&'static str, Json)>,
}

impl<'a> Shown<'a> {
    /// A record and nothing else.
    pub const fn of(record: &'a Record) -> Self {
        Self { record, more: Vec::new() }
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (field, value) in self.record.iter() {
            if self.more.iter().all(|(name, _)| *name != field.name) {
                map.serialize_entry(field.name, &Member(value))?;
            }
        }
        for (name, value) in &self.more {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The value of a field; null when it has none.
struct Member<'a>(Option<&'a Value>);

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => serializer.serialize_none(),
            Some(Value::Text(text)) => serializer.serialize_str(text),
            Some(Value::Number(number)) => serializer.serialize_i64(*number),
            Some(Value::Time(time)) => serializer.collect_str(&Millis(*time)),
            Some(Value::Flag(flag)) => serializer.serialize_bool(*flag),
            // It was JSON when it was stored.
            Some(Value::Json(text)) => serde_json::from_str(text).unwrap_or(Json::Null).serialize(serializer),
        }
    }
}

/// A time as the Deploys API writes it: RFC 3339, UTC, always three digits after the second.
pub struct Millis(pub Timestamp);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = DateTime::from_timestamp_micros(self.0.as_micros()).unwrap_or_default();
        f.write_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::listing::Entity;
    use serde_json::json;

    #[test]
    fn every_field_is_there_and_times_have_milliseconds() {
        let time = Value::Time(Timestamp::from_micros(1_748_781_296_000_999));
        let record =
            Record::new(Entity::Workspace, vec![Some(Value::Text("wsp_1".into())), None, Some(time)]);
        let shown = |more| serde_json::to_value(Shown { record: &record, more }).unwrap();
        let expected = json!({ "id": "wsp_1", "name": null, "createdAt": "2025-06-01T12:34:56.000Z" });
        assert_eq!(shown(vec![]), expected);
        assert_eq!(shown(vec![("name", json!("x")), ("steps", json!([]))])["name"], "x");
        let json = Record::new(Entity::Deploy, Vec::new());
        assert_eq!(
            serde_json::to_value(Shown::of(&json)).unwrap().as_object().unwrap().len(),
            Entity::Deploy.fields().len()
        );
    }
}
