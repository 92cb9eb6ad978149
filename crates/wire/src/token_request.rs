//! What makes an API token: `{"name", "policies": [{"effect", "permission_groups": [{"id" | "name"}]}],
//! "expires_on"?}`.

use crate::json::{InvalidMember, Node, Read};
use crate::time::Time;
use crate::token::{PAGES_READ, PAGES_WRITE};

/// A token to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenCreation {
    /// For people.
    pub name: String,
    /// Whether it may write; every token may read.
    pub write: bool,
    /// When it stops working.
    pub expires: Option<Time>,
}

/// Reads the body of `POST …/tokens`.
///
/// # Errors
/// The member that breaks a rule. A policy that we cannot keep is refused: a token must not be able to do
/// more than its maker asked for.
pub fn read_creation(body: &[u8]) -> Read<TokenCreation> {
    let value = crate::json::parse(body)?;
    let object = Node::root(&value).object()?;
    let name = object.required("name", |name| match name.str()? {
        text if (1..=120).contains(&text.len()) => Ok(text.to_owned()),
        _ => Err(name.refuse("must have 1 to 120 characters")),
    })?;
    for unkept in ["condition", "not_before"] {
        object.optional(unkept, |node| Err::<(), _>(node.refuse("is not supported")))?;
    }
    let expires = object.optional("expires_on", |time| {
        Time::parse(time.str()?).ok_or_else(|| time.refuse("must be an RFC 3339 time"))
    })?;
    let policies = object.required("policies", |policies| {
        policies.elements()?.map(|policy| read_policy(&policy)).collect::<Read<Vec<bool>>>()
    })?;
    if policies.is_empty() {
        return Err(InvalidMember::new("policies", "must not be empty"));
    }
    Ok(TokenCreation { name, write: policies.contains(&true), expires })
}

/// Whether a policy allows writing.
fn read_policy(node: &Node<'_>) -> Read<bool> {
    let object = node.object()?;
    object.optional("effect", |effect| effect.one_of(&[("allow", ())]))?;
    let groups = object.required("permission_groups", |groups| {
        groups.elements()?.map(|group| read_group(&group)).collect::<Read<Vec<bool>>>()
    })?;
    if groups.is_empty() {
        return Err(node.refuse("must have a permission group"));
    }
    Ok(groups.contains(&true))
}

fn read_group(node: &Node<'_>) -> Read<bool> {
    let object = node.object()?;
    let id = object.optional("id", Node::text)?;
    let name = object.optional("name", Node::text)?;
    let is = |group: (&str, &str)| match (&id, &name) {
        (Some(id), _) => id == group.0,
        (None, Some(name)) => name == group.1,
        (None, None) => false,
    };
    match (is(PAGES_READ), is(PAGES_WRITE)) {
        (true, _) => Ok(false),
        (_, true) => Ok(true),
        (false, false) => Err(node.refuse("must be the id or name of Pages Read or Pages Write")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &serde_json::Value) -> Read<TokenCreation> {
        read_creation(json.to_string().as_bytes())
    }

    #[test]
    fn a_token_says_what_it_may_do() {
        let policy = |group| serde_json::json!([{"effect": "allow", "permission_groups": [group]}]);
        let by_name =
            serde_json::json!({"name": "ci", "policies": policy(serde_json::json!({"name": "Pages Write"}))});
        assert!(read(&by_name).unwrap().write);
        let by_id =
            serde_json::json!({"name": "ci", "policies": policy(serde_json::json!({"id": PAGES_READ.0}))});
        assert!(!read(&by_id).unwrap().write);
        let other =
            serde_json::json!({"name": "ci", "policies": policy(serde_json::json!({"name": "DNS Write"}))});
        assert_eq!(read(&other).unwrap_err().path, "policies[0].permission_groups[0]");
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for (json, path) in [
            (serde_json::json!({}), "name"),
            (serde_json::json!({"name": "a"}), "policies"),
            (serde_json::json!({"name": "a", "policies": []}), "policies"),
            (serde_json::json!({"name": "a", "condition": {}}), "condition"),
            (serde_json::json!({"name": "a", "policies": [{"effect": "deny"}]}), "policies[0].effect"),
            (serde_json::json!({"name": "a", "expires_on": "soon"}), "expires_on"),
        ] {
            assert_eq!(read(&json).unwrap_err().path, path, "{json}");
        }
    }
}
