//! API tokens of the account, in Cloudflare's shapes.

use offprint_wire::token::PermissionGroup;
use reqwest::Method;
use serde_json::json;

use super::PagesClient;
use crate::error::ClientError;
use crate::types::Token;

/// What a token may do in its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPermission {
    /// Look.
    Read,
    /// Look and change.
    Write,
}

impl TokenPermission {
    const fn group(self) -> PermissionGroup {
        PermissionGroup::new(matches!(self, Self::Write))
    }
}

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name, for people.
    pub name: String,
    /// What it may do.
    pub permission: TokenPermission,
    /// When it ends, RFC 3339; never when absent.
    pub expires_on: Option<String>,
}

impl PagesClient {
    /// All tokens of the account.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn tokens(&self) -> Result<Vec<Token>, ClientError> {
        self.api.pages(&self.path(&["tokens"]), &[], 50).await
    }

    /// Makes a token. Its `value` is in this answer and in no other.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn create_token(&self, new: &NewToken) -> Result<Token, ClientError> {
        let resource = format!("com.cloudflare.api.account.{}", self.account);
        let mut body = json!({
            "name": new.name,
            "policies": [{
                "effect": "allow",
                "resources": { resource: "*" },
                "permission_groups": [new.permission.group()],
            }],
        });
        if let Some(expires_on) = &new.expires_on {
            body["expires_on"] = json!(expires_on);
        }
        let call = self.call(Method::POST, &["tokens"])?.json(&body)?;
        self.api.send(&call.makes_another()).await
    }

    /// Ends a token.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn revoke_token(&self, id: &str) -> Result<(), ClientError> {
        self.api.send_blind(&self.call(Method::DELETE, &["tokens", id])?).await
    }
}
