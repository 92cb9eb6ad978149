//! Schemas: small words for writing them, and those of shapes, which are made of the shapes themselves.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// A reference to a schema.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Any text.
pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

/// A text that matches a pattern.
pub(super) fn patterned(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

/// Bytes in the one canonical text of the standard alphabet.
pub(super) fn base64() -> Value {
    patterned("^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$")
}

/// A text of 1 to so many characters, of which one can be seen and none controls.
pub(super) fn line(chars_max: usize) -> Value {
    const PATTERN: &str =
        r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";
    json!({ "type": "string", "pattern": PATTERN, "minLength": 1, "maxLength": chars_max })
}

/// A whole number within bounds.
pub(super) fn whole_number(minimum: u64, maximum: u64) -> Value {
    json!({ "type": "integer", "minimum": minimum, "maximum": maximum })
}

/// True or false.
pub(super) fn flag() -> Value {
    json!({ "type": "boolean" })
}

/// One of these words.
pub(super) fn words(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// A list of these.
pub(super) fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// This, or `null`.
pub(super) fn or_null(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// Each event of a stream of server-sent events.
pub(super) fn event_of_stream() -> Value {
    json!({
        "type": "object",
        "description": "An event: the stream is a sequence of such.",
        "properties": {
            "id": { "type": "string" },
            "event": { "type": "string" },
            "data": { "type": "string", "contentMediaType": "application/json" },
            "retry": { "type": "integer" },
        },
    })
}

/// An object that has at least these members; others are passed over.
pub(super) fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

/// An object with these members and no others, of which some must be there.
pub(super) fn closed(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

/// An object with these members and no others, all of which are there.
pub(super) fn whole(properties: Value) -> Value {
    let required: Vec<String> =
        properties.as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default();
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

/// The members of an object that is written down as one.
pub(super) fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Schemas of shapes, as they are written. Each is noted once, under its name.
pub(super) struct Shapes(SchemaGenerator);

impl Default for Shapes {
    fn default() -> Self {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        Self(
            settings
                .with(|settings| settings.definitions_path = "/components/schemas".into())
                .into_generator(),
        )
    }
}

impl Shapes {
    /// A reference to the schema of a shape.
    pub(super) fn of<T: JsonSchema>(&mut self) -> Value {
        self.0.subschema_for::<T>().to_value()
    }

    /// All that were asked for, and those in them.
    pub(super) fn into_schemas(mut self) -> Map<String, Value> {
        self.0.take_definitions(true)
    }
}
