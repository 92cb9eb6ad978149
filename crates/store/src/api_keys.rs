//! API keys: tokens, as the Deploys API makes and shows them.

use offprint_model::listing::Entity as Listed;
use offprint_model::secret::Secret;
use offprint_model::time::Timestamp;

use crate::apps::workspace_scope;
use crate::clock::Clock;
use crate::db::{Rows, values};
use crate::error::{Entity, Result, StoreError};
use crate::events::{NewEvent, note_event};
use crate::lists::{Listing, Reach};
use crate::open::Store;
use crate::tokens::{NewToken, Permission, new_secret};

/// An API key to be made.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// The workspace; `None`: the caller's only one.
    pub workspace: Option<String>,
    /// Its name, for people.
    pub name: String,
    /// What it may do.
    pub permission: Permission,
    /// The apps that it is good for; `None`: the whole workspace.
    pub apps: Option<Vec<String>>,
    /// From when on it is worthless.
    pub expires: Option<Timestamp>,
}

const ADD_APP: &str = "INSERT INTO token_app (token_seq, project_seq) SELECT $1, p.seq FROM project p
    WHERE p.public_id = $2 ON CONFLICT DO NOTHING";
const FIND: &str = "SELECT seq, account_seq FROM token WHERE public_id = $1";
const FORGET_APPS: &str = "DELETE FROM token_app WHERE token_seq = $1";
const REVOKE: &str = "DELETE FROM token WHERE seq = $1";

impl Store {
    /// Makes a key. Its secret is returned this once.
    ///
    /// # Errors
    /// `NotFound(Workspace)`, `NotFound(App)`.
    pub async fn create_api_key(&self, reach: &Reach, new: NewApiKey) -> Result<(Listing, Secret<String>)> {
        let secret = new_secret();
        let tx = self.db().write("create_api_key").await?;
        let account = workspace_scope(&tx, reach, new.workspace.as_deref()).await?;
        let token = NewToken {
            name: &new.name,
            permission: new.permission,
            expires: new.expires,
            limited: new.apps.is_some(),
        };
        let added = token.add(&tx, account.seq, &secret).await?;
        for app in new.apps.iter().flatten() {
            let (scope, _) = self.app_scope(&tx, reach, app).await?;
            if scope.account_seq != account.seq {
                return Err(StoreError::NotFound(Entity::Listed(Listed::App)));
            }
            tx.run(ADD_APP, values![added.seq, app]).await?;
        }
        tell(&tx, reach, account.seq, "api_key.created", &added.public_id).await?;
        tx.commit().await?;
        let made = self.find(reach, Listed::ApiKey, &added.public_id).await?;
        Ok((made.ok_or(StoreError::NotFound(Entity::Listed(Listed::ApiKey)))?, secret))
    }

    /// Makes a key worthless, from the next request on.
    ///
    /// # Errors
    /// `NotFound(ApiKey)`.
    pub async fn revoke_api_key(&self, reach: &Reach, id: &str) -> Result<()> {
        let tx = self.db().write("revoke_api_key").await?;
        self.found(&tx, reach, Listed::ApiKey, id).await?;
        let row = tx.one(FIND, values![id]).await?;
        let row = row.ok_or(StoreError::NotFound(Entity::Listed(Listed::ApiKey)))?;
        let seq: i64 = row.get("seq")?;
        tx.run(FORGET_APPS, values![seq]).await?;
        tx.run(REVOKE, values![seq]).await?;
        tell(&tx, reach, row.get("account_seq")?, "api_key.revoked", id).await?;
        tx.commit().await
    }
}

/// Writes down that something happened that is not about an app.
pub(crate) async fn tell(
    tx: &crate::db::Tx,
    reach: &Reach,
    account_seq: i64,
    kind: &str,
    subject: &str,
) -> Result<String> {
    note_event(tx, &reach.actor, NewEvent::of_account(account_seq, kind, subject), Clock::now()).await
}
