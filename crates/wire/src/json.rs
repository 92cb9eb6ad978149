//! Reading JSON that a client sent: every refusal names the member and the rule.
//!
//! A body is read as a tree and then walked. That tells "absent" from "null" without a wrapper type a
//! member, ignores unknown members, and keeps the path for the error.

use std::fmt;

use offprint_model::config::Patch;
use serde_json::{Map, Value};

/// A member that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidMember {
    /// Where it is, such as `deployment_configs.production.fail_open`; empty for the body itself.
    pub path: String,
    /// What it should be.
    pub rule: String,
}

impl InvalidMember {
    /// A member and its rule.
    pub fn new(path: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { path: path.into(), rule: rule.into() }
    }
}

impl fmt::Display for InvalidMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "the body {}", self.rule),
            path => write!(f, "{path} {}", self.rule),
        }
    }
}

/// What reading yields.
pub type Read<T> = Result<T, InvalidMember>;

/// Reads a body. An empty one is an empty object: whether that is enough, its members decide.
///
/// # Errors
/// The body is not JSON.
pub fn parse(body: &[u8]) -> Read<Value> {
    if body.trim_ascii().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(body)
        .map_err(|error| InvalidMember::new("", format!("is not valid JSON: {error}")))
}

/// A value and where it is.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> Node<'a> {
    /// The body itself.
    pub const fn root(value: &'a Value) -> Self {
        Self { value, path: String::new() }
    }

    /// A value that is not a body, under a name: a query parameter, for one.
    pub fn named(value: &'a Value, name: &str) -> Self {
        Self { value, path: name.to_owned() }
    }

    /// A refusal of this value.
    pub fn refuse(&self, rule: impl Into<String>) -> InvalidMember {
        InvalidMember::new(self.path.clone(), rule)
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// The value as it is.
    pub const fn value(&self) -> &'a Value {
        self.value
    }

    /// An object.
    ///
    /// # Errors
    /// It is something else.
    pub fn object(&self) -> Read<Object<'a>> {
        match self.value {
            Value::Object(members) => Ok(Object { members, path: self.path.clone() }),
            _ => Err(self.refuse("must be an object")),
        }
    }

    /// A text.
    ///
    /// # Errors
    /// It is something else.
    pub fn text(&self) -> Read<String> {
        self.str().map(ToOwned::to_owned)
    }

    /// A text, borrowed.
    ///
    /// # Errors
    /// It is something else.
    pub fn str(&self) -> Read<&'a str> {
        self.value.as_str().ok_or_else(|| self.refuse("must be a string"))
    }

    /// True or false.
    ///
    /// # Errors
    /// It is something else.
    pub fn boolean(&self) -> Read<bool> {
        self.value.as_bool().ok_or_else(|| self.refuse("must be true or false"))
    }

    /// A whole number of 32 bits, not negative. Terraform may write it as `3.0`.
    ///
    /// # Errors
    /// It is something else.
    pub fn number(&self) -> Read<u32> {
        let whole = self.value.as_u64().or_else(|| {
            let float = self.value.as_f64()?;
            (float.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&float)).then_some(float as u64)
        });
        whole
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| self.refuse("must be a whole number and not negative"))
    }

    /// The elements of an array.
    ///
    /// # Errors
    /// It is something else.
    pub fn elements(&self) -> Read<impl ExactSizeIterator<Item = Node<'a>>> {
        let Value::Array(elements) = self.value else {
            return Err(self.refuse("must be an array"));
        };
        let path = self.path.clone();
        Ok(elements.iter().enumerate().map(move |(n, value)| Node { value, path: format!("{path}[{n}]") }))
    }

    /// An array of texts.
    ///
    /// # Errors
    /// It is something else.
    pub fn texts(&self) -> Read<Vec<String>> {
        self.elements()?.map(|element| element.text()).collect()
    }

    /// One of a few words.
    ///
    /// # Errors
    /// It is something else.
    pub fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Read<T> {
        let found = self.value.as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.refuse(format!("must be one of {}", list.join(", ")))
        })
    }
}

/// An object and where it is.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    members: &'a Map<String, Value>,
    path: String,
}

impl<'a> Object<'a> {
    /// A member, if it is there; `null` counts.
    pub fn get(&self, name: &str) -> Option<Node<'a>> {
        self.members.get(name).map(|value| self.node(name, value))
    }

    /// All members.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, Node<'a>)> {
        self.members.iter().map(|(name, value)| (name.as_str(), self.node(name, value)))
    }

    /// A member that may be absent or `null`.
    ///
    /// # Errors
    /// It is there and `read` refuses it.
    pub fn optional<T>(&self, name: &str, read: impl FnOnce(&Node<'a>) -> Read<T>) -> Read<Option<T>> {
        match self.get(name) {
            Some(node) if !node.is_null() => read(&node).map(Some),
            _ => Ok(None),
        }
    }

    /// A member that must be there.
    ///
    /// # Errors
    /// It is absent or `null`, or `read` refuses it.
    pub fn required<T>(&self, name: &str, read: impl FnOnce(&Node<'a>) -> Read<T>) -> Read<T> {
        self.optional(name, read)?.ok_or_else(|| InvalidMember::new(self.member_path(name), "is required"))
    }

    /// A change to a member: absent keeps, `null` clears.
    ///
    /// # Errors
    /// `read` refuses the new value.
    pub fn patch<T>(&self, name: &str, read: impl FnOnce(&Node<'a>) -> Read<T>) -> Read<Patch<T>> {
        match self.get(name) {
            None => Ok(Patch::Keep),
            Some(node) if node.is_null() => Ok(Patch::Clear),
            Some(node) => read(&node).map(Patch::Set),
        }
    }

    /// A change to a member that has a default: `null` goes back to it.
    ///
    /// # Errors
    /// `read` refuses the new value.
    pub fn or_default<T>(
        &self,
        name: &str,
        default: T,
        read: impl FnOnce(&Node<'a>) -> Read<T>,
    ) -> Read<Option<T>> {
        match self.patch(name, read)? {
            Patch::Keep => Ok(None),
            Patch::Clear => Ok(Some(default)),
            Patch::Set(value) => Ok(Some(value)),
        }
    }

    fn node(&self, name: &str, value: &'a Value) -> Node<'a> {
        Node { value, path: self.member_path(name) }
    }

    fn member_path(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T>(read: Read<T>) -> String {
        read.err().unwrap().to_string()
    }

    #[test]
    fn refusals_name_the_path_and_the_rule() {
        let value = serde_json::json!({"a": {"b": [1, "x"]}});
        let a = Node::root(&value).object().unwrap().required("a", Node::object).unwrap();
        assert_eq!(refusal(a.required("b", Node::texts)), "a.b[0] must be a string");
        assert_eq!(refusal(a.required("c", Node::texts)), "a.c is required");
        assert_eq!(refusal(a.get("b").unwrap().one_of(&[("x", 1), ("y", 2)])), "a.b must be one of x, y");
        assert_eq!(refusal(Node::root(&serde_json::json!([])).object()), "the body must be an object");
        assert!(refusal(parse(b"{")).starts_with("the body is not valid JSON: EOF"));
    }

    #[test]
    fn absent_and_null_differ() {
        let value = serde_json::json!({"n": null, "v": 3.0});
        let object = Node::root(&value).object().unwrap();
        assert_eq!(object.patch("x", Node::number), Ok(Patch::Keep));
        assert_eq!(object.patch("n", Node::number), Ok(Patch::Clear));
        assert_eq!(object.patch("v", Node::number), Ok(Patch::Set(3)));
        assert_eq!(object.or_default("n", 7, Node::number), Ok(Some(7)));
        assert_eq!(object.optional("n", Node::number), Ok(None));
    }

    #[test]
    fn an_empty_body_is_an_empty_object() {
        assert_eq!(parse(b" \n"), Ok(serde_json::json!({})));
    }
}
