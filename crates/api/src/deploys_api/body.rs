//! Bodies: JSON objects of a bounded length. Members that nobody knows are refused: they are misspelt.

use axum::extract::{FromRequest, Request};
use offprint_wire::deploys::problem::ProblemCode;
use offprint_wire::error_code::ErrorCode;
use offprint_wire::json::{self, Node, Object};
use serde_json::Value;

use super::problem::{Problem, Result};
use crate::body::read;
use crate::state::Ctx;

/// A file of 25 MiB as base64, and a little.
const BODY_BYTES_MAX: usize = 36 * 1024 * 1024;

/// A body of JSON.
pub(super) struct JsonBody(Value);

impl FromRequest<Ctx> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Ctx) -> Result<Self> {
        let body = read(request, BODY_BYTES_MAX).await.map_err(|error| match error.code() {
            ErrorCode::BodyTooLarge => Problem::new(ProblemCode::PayloadTooLarge, "The body is too long."),
            _ => Problem::new(ProblemCode::BadRequest, "The body ended early."),
        })?;
        Ok(Self(json::parse(&body)?))
    }
}

impl JsonBody {
    /// The body as an object that has no other members than these.
    pub(super) fn object(&self, known: &[&str]) -> Result<Object<'_>> {
        Ok(only(Node::root(&self.0).object()?, known)?)
    }
}

/// An object that has no other members than these.
pub(super) fn only<'a>(object: Object<'a>, known: &[&str]) -> json::Read<Object<'a>> {
    let unknown = object.entries().find(|(name, _)| !known.contains(name));
    if let Some((_, member)) = unknown {
        return Err(member.refuse(format!("is not known; known are {}", known.join(", "))));
    }
    Ok(object)
}

/// A text of 1 to so many characters, without control characters.
pub(super) fn line(node: &Node<'_>, chars_max: usize) -> json::Read<String> {
    let text = node.text()?;
    let length = text.chars().count();
    if !(1..=chars_max).contains(&length) || text.trim().is_empty() {
        return Err(node.refuse(format!("must have 1 to {chars_max} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(node.refuse("must not have control characters"));
    }
    Ok(text)
}
