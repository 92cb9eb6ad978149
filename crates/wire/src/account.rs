//! Accounts, users and memberships: what clients ask before they come to Pages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// An account, as `GET /accounts` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// 32 hex digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Always `standard`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Nothing can be set.
    #[serde(default)]
    pub settings: AccountSettings,
    /// When it was made.
    #[serde(default)]
    pub created_on: Option<Time>,
}

/// The settings that SDKs read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountSettings {
    /// Always false.
    #[serde(default)]
    pub enforce_twofactor: bool,
}

impl Account {
    /// An account with what never differs filled in.
    pub fn new(id: impl Into<String>, name: impl Into<String>, created: Time) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            kind: "standard".into(),
            settings: AccountSettings::default(),
            created_on: Some(created),
        }
    }
}

/// The caller, as `GET /user` shows it; wrangler reads `email`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// The id of the caller's first account.
    pub id: String,
    /// Whose token it is.
    pub email: String,
    /// Unknown.
    #[serde(default)]
    pub first_name: Option<String>,
    /// Unknown.
    #[serde(default)]
    pub last_name: Option<String>,
    /// Unknown.
    #[serde(default)]
    pub telephone: Option<String>,
    /// Unknown.
    #[serde(default)]
    pub country: Option<String>,
    /// Unknown.
    #[serde(default)]
    pub zipcode: Option<String>,
    /// Always false.
    #[serde(default)]
    pub suspended: bool,
    /// Always false.
    #[serde(default)]
    pub two_factor_authentication_enabled: bool,
}

impl User {
    /// A user with what never differs filled in.
    pub fn new(id: impl Into<String>, email: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            email: email.into(),
            first_name: None,
            last_name: None,
            telephone: None,
            country: None,
            zipcode: None,
            suspended: false,
            two_factor_authentication_enabled: false,
        }
    }
}

/// That the caller belongs to an account; wrangler intersects these with the accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Membership {
    /// Its id.
    pub id: String,
    /// Always `accepted`.
    pub status: String,
    /// The account, whole: the Python SDK wants its type.
    pub account: Account,
    /// Names of roles; `whoami --account` prints them.
    pub roles: Vec<String>,
    /// Nothing reads it.
    #[serde(default)]
    pub permissions: Permissions,
}

/// An empty object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Permissions {}

impl Membership {
    /// The membership in an account.
    pub fn new(account: Account, role: &str) -> Self {
        Self {
            id: account.id.clone(),
            status: "accepted".into(),
            account,
            roles: vec![role.into()],
            permissions: Permissions::default(),
        }
    }
}
