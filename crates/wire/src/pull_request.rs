//! Pull requests that a forge told of. An extension of the Pages API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::{Node, Read};
use crate::webhook::is_commit_hash;

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PullRequest {
    /// Its number at the forge.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// The branch that is to be merged.
    pub branch: String,
    /// The commit at its head.
    pub commit_hash: String,
    /// Whether it comes from another repository. Then nothing of it is built before a person approves it.
    pub is_fork: bool,
    /// Whether it is neither merged nor closed.
    pub is_open: bool,
    /// The commit that was last approved. The approval counts only while it is the head.
    pub approved_commit_hash: Option<String>,
}

/// Reads the body of `POST …/pull_requests/{number}/approve`: the commit that the caller has looked at.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_approval(body: &[u8]) -> Read<String> {
    let value = crate::json::parse(body)?;
    let object = Node::root(&value).object()?;
    object.required("commit_hash", |node| {
        let hash = node.str()?;
        if is_commit_hash(hash) {
            Ok(hash.to_ascii_lowercase())
        } else {
            Err(node.refuse("must be a whole commit hash of 40 or 64 hex digits"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_names_a_whole_commit() {
        let hash = "AB".repeat(20);
        let read = |hash: &str| read_approval(format!("{{\"commit_hash\":\"{hash}\"}}").as_bytes());
        assert_eq!(read(&hash), Ok("ab".repeat(20)));
        assert_eq!(read(&"1".repeat(64)), Ok("1".repeat(64)));
        for bad in ["", "main", "abcdef1", &"g".repeat(40), &"1".repeat(41)] {
            assert_eq!(read(bad).unwrap_err().path, "commit_hash", "{bad}");
        }
        assert_eq!(read_approval(b"").unwrap_err().to_string(), "commit_hash is required");
    }
}
