//! Where the deploys of an app go: this server, or another one that speaks the Pages API.

use offprint_model::listing::Value;
use offprint_model::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::crypt::Keys;
use crate::error::{Result, StoreError};
use crate::jobs::PagesTarget;

const TOKEN: &str = "target token";

/// Where deploys go.
#[derive(Clone, Default)]
pub enum Target {
    /// This server.
    #[default]
    Local,
    /// A project at another server of the Pages API.
    Pages {
        /// The address of the API, `/client/v4` included.
        base_url: String,
        /// The account there.
        account_id: String,
        /// The project there.
        project_name: String,
        /// The token; it is never shown. `None` keeps the one that is stored.
        api_token: Option<Secret<String>>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    v: u32,
    base_url: String,
    account_id: String,
    project_name: String,
    /// Encrypted.
    api_token: String,
}

/// What is shown of a stored target, as JSON.
pub(crate) fn shown_target(stored: Option<&Value>) -> Result<String> {
    let shown = match stored {
        Some(Value::Json(text)) => {
            let stored = read(text)?;
            json!({
                "type": "pages",
                "baseUrl": stored.base_url,
                "accountId": stored.account_id,
                "projectName": stored.project_name,
            })
        }
        _ => json!({ "type": "local" }),
    };
    Ok(shown.to_string())
}

/// What is stored of a target; nothing for this server. The secrets of `owner`, which is the app.
pub(super) fn target_to_json(
    target: Target,
    before: Option<&str>,
    keys: &Keys,
    owner: &str,
) -> Result<Option<String>> {
    let Target::Pages { base_url, account_id, project_name, api_token } = target else { return Ok(None) };
    let api_token = match (api_token, before) {
        (Some(token), _) => keys.seal(owner, TOKEN, &token)?,
        (None, Some(before)) => {
            let before = read(before)?;
            // A token is for one server: nobody shall have it sent to another by changing the address alone.
            if before.base_url != base_url {
                return Err(StoreError::TokenMissing);
            }
            before.api_token
        }
        (None, None) => return Err(StoreError::TokenMissing),
    };
    let stored = Stored { v: 1, base_url, account_id, project_name, api_token };
    serde_json::to_string(&stored).map(Some).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The target as it is used.
pub(crate) fn pages_target(stored: &str, keys: &Keys, owner: &str) -> Result<PagesTarget> {
    let stored = read(stored)?;
    Ok(PagesTarget {
        api_token: keys.unseal(owner, TOKEN, &stored.api_token)?,
        base_url: stored.base_url,
        account_id: stored.account_id,
        project_name: stored.project_name,
    })
}

fn read(text: &str) -> Result<Stored> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("a target: {error}")))
}
