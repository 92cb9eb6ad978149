//! A statement that is put together while it is asked for: of constants and placeholders, and of nothing else.

use sea_orm::Value;

use crate::db::{Engine, IntoValue};
use crate::sql::Sql;

/// A statement with its values.
pub(crate) struct Query {
    engine: Engine,
    text: String,
    values: Vec<Value>,
}

impl Query {
    pub(crate) fn new(engine: Engine, text: &'static str) -> Self {
        Self { engine, text: text.to_owned(), values: Vec::new() }
    }

    /// Whose words it is in.
    pub(crate) const fn engine(&self) -> Engine {
        self.engine
    }

    /// Adds a constant. The type keeps everything out that came from a client.
    pub(crate) fn push(&mut self, text: impl Into<Sql>) -> &mut Self {
        self.text.push_str(text.into().of(self.engine));
        self
    }

    /// Adds a placeholder and its value.
    pub(crate) fn bind(&mut self, value: impl IntoValue) -> &mut Self {
        self.values.push(value.into_value());
        self.text.push('$');
        self.text.push_str(&self.values.len().to_string());
        self
    }

    /// Adds a number as it is, for what decides how the statement is best gone about: a database that keeps its plan for
    /// other values cannot know it otherwise.
    pub(crate) fn push_number(&mut self, number: usize) -> &mut Self {
        self.text.push_str(&number.to_string());
        self
    }

    /// Adds so many placeholders in parentheses; with none, a list that holds nothing.
    pub(crate) fn bind_all<T: IntoValue>(&mut self, values: impl IntoIterator<Item = T>) -> &mut Self {
        self.push("(");
        let mut is_first = true;
        for value in values {
            if !std::mem::replace(&mut is_first, false) {
                self.push(", ");
            }
            self.bind(value);
        }
        if is_first {
            self.push("NULL");
        }
        self.push(")")
    }

    pub(crate) fn into_parts(self) -> (String, Vec<Value>) {
        (self.text, self.values)
    }
}
