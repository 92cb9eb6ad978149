//! One of an entity, as its description says.

use super::{Entity, Field};
use crate::time::Timestamp;

/// A value of a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A text, a word or an id.
    Text(String),
    /// A number.
    Number(i64),
    /// A time.
    Time(Timestamp),
    /// Yes or no.
    Flag(bool),
    /// The text of a JSON value.
    Json(String),
}

/// One of an entity: a value, or none, for each of its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    entity: Entity,
    values: Vec<Option<Value>>,
}

impl Record {
    /// Takes values in the order of the entity's fields; what is missing at the end is absent.
    pub fn new(entity: Entity, mut values: Vec<Option<Value>>) -> Self {
        values.resize(entity.fields().len(), None);
        Self { entity, values }
    }

    /// What it is.
    pub const fn entity(&self) -> Entity {
        self.entity
    }

    /// The value of the field of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let index = self.entity.fields().iter().position(|field| field.name == name)?;
        self.values[index].as_ref()
    }

    /// The text in the field of this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.text("id").unwrap_or_default()
    }

    /// Gives a field a value.
    pub fn set(&mut self, name: &str, value: Option<Value>) {
        if let Some(index) = self.entity.fields().iter().position(|field| field.name == name) {
            self.values[index] = value;
        }
    }

    /// All fields with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Field, Option<&Value>)> {
        self.entity.fields().iter().zip(self.values.iter().map(Option::as_ref))
    }
}
