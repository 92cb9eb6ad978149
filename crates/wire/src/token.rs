//! API tokens, in the shapes of Cloudflare's account-owned tokens.
//!
//! Offprint knows two permissions, so a token has one policy with one permission group. The group ids are
//! those of the real service, so that scripts which name them by id work unchanged.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A permission group: its id in the real service, and its name.
pub const PAGES_READ: (&str, &str) = ("e247aedd66bd41cc9193af0213416666", "Pages Read");
/// A permission group: its id in the real service, and its name.
pub const PAGES_WRITE: (&str, &str) = ("8d28297797f24fb8a0c332fe0866ec89", "Pages Write");

/// A token. Its secret is shown once, in the answer that makes it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ApiToken")]
pub struct Token {
    /// 32 hex digits.
    pub id: String,
    /// For people.
    pub name: String,
    /// `active` or `expired`.
    #[schemars(extend("enum" = ["active", "expired"]))]
    pub status: Cow<'static, str>,
    /// When it was made.
    #[serde(default)]
    pub issued_on: Option<Time>,
    /// The same: tokens do not change.
    #[serde(default)]
    pub modified_on: Option<Time>,
    /// When it was last used, roughly.
    #[serde(default)]
    pub last_used_on: Option<Time>,
    /// When it stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<Time>,
    /// What it may do.
    pub policies: Vec<Policy>,
    /// The secret, only when the token has just been made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A policy of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TokenPolicy")]
pub struct Policy {
    /// Its id: the token's.
    #[serde(default)]
    pub id: String,
    /// Always `allow`.
    pub effect: Cow<'static, str>,
    /// The account, as `com.cloudflare.api.account.<id>`, to `*`.
    #[serde(default)]
    pub resources: BTreeMap<String, String>,
    /// `Pages Read` or `Pages Write`.
    pub permission_groups: Vec<PermissionGroup>,
}

/// A permission group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PermissionGroup {
    /// Its id.
    pub id: Cow<'static, str>,
    /// Its name.
    #[serde(default)]
    pub name: Cow<'static, str>,
}

impl PermissionGroup {
    /// The group of a permission.
    pub const fn new(write: bool) -> Self {
        let (id, name) = if write { PAGES_WRITE } else { PAGES_READ };
        Self { id: Cow::Borrowed(id), name: Cow::Borrowed(name) }
    }
}

impl Policy {
    /// The one policy of a token.
    pub fn new(token_id: &str, account_id: &str, write: bool) -> Self {
        let resource = format!("com.cloudflare.api.account.{account_id}");
        Self {
            id: token_id.to_owned(),
            effect: Cow::Borrowed("allow"),
            resources: BTreeMap::from([(resource, "*".to_owned())]),
            permission_groups: vec![PermissionGroup::new(write)],
        }
    }
}

/// The answer of `…/tokens/verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerifiedToken {
    /// The token's id.
    pub id: String,
    /// `active`.
    pub status: Cow<'static, str>,
}

/// An answer that names what was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeletedToken")]
pub struct Deleted {
    /// Its id.
    pub id: String,
}
