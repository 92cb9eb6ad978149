//! Tails: live log streams of Functions.

use serde::{Deserialize, Serialize};

use crate::json::{Node, Read};
use crate::time::Time;

/// A tail that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// Its id.
    pub id: String,
    /// The WebSocket to connect to.
    pub url: String,
    /// When it ends by itself.
    pub expires_at: Time,
}

/// Checks the body of a request for a tail: `{"filters": [object…]}`, or nothing.
///
/// # Errors
/// The member that breaks a rule.
pub fn check_request(body: &[u8]) -> Read<()> {
    let value = crate::json::parse(body)?;
    let filters = Node::root(&value)
        .object()?
        .optional("filters", |filters| filters.elements()?.try_for_each(|filter| filter.object().map(drop)));
    filters.map(drop)
}
