//! Deploy hooks. An extension: in the real service they are made in the dashboard.

use offprint_model::name::BranchName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::{Node, Read};
use crate::time::Time;

/// A deploy hook. Whoever knows `url` may build the branch.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeployHook {
    /// A UUID, and a secret.
    pub id: String,
    /// For people.
    pub name: String,
    /// The branch that it builds.
    pub branch: String,
    /// Where it is called with `POST`.
    pub url: String,
    /// When it was made.
    pub created_on: Time,
}

/// The answer of a deploy hook, and of a webhook that made a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deployed {
    /// The new deployment.
    pub id: String,
}

/// What makes a deploy hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployHookCreation {
    /// For people.
    pub name: String,
    /// The branch that it builds.
    pub branch: BranchName,
}

const NAME_BYTES_MAX: usize = 255;

/// Reads the body of `POST …/deploy_hooks`.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_creation(body: &[u8]) -> Read<DeployHookCreation> {
    let value = crate::json::parse(body)?;
    let object = Node::root(&value).object()?;
    let name = object.required("name", |node| {
        let name = node.str()?;
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(node.refuse("must have 1 to 255 bytes and no control characters"));
        }
        Ok(name.to_owned())
    })?;
    let branch = object.required("branch", |node| {
        BranchName::parse(node.str()?).map_err(|rule| node.refuse(format!("is not valid: {rule}")))
    })?;
    Ok(DeployHookCreation { name, branch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_has_a_name_and_a_branch() {
        let read = |json: &str| read_creation(json.as_bytes());
        let made = read(r#"{"name": "CMS", "branch": "main"}"#).unwrap();
        assert_eq!((&*made.name, made.branch.as_str()), ("CMS", "main"));
        for (json, path) in [
            ("{}", "name"),
            (r#"{"name": "x"}"#, "branch"),
            (r#"{"name": "", "branch": "main"}"#, "name"),
            (r#"{"name": "a\nb", "branch": "main"}"#, "name"),
            (r#"{"name": "x", "branch": ""}"#, "branch"),
        ] {
            assert_eq!(read(json).unwrap_err().path, path, "{json}");
        }
    }
}
