//! The secrets by which a project and its forge know one another. Encrypted in the database, each for its
//! project and name.

use offprint_model::config::Patch;
use offprint_model::id::ProjectId;
use offprint_model::project::Project;
use offprint_model::secret::Secret;

use crate::crypt::Keys;
use crate::db::{Rows, Tx, values};
use crate::error::{Result, StoreError};
use crate::open::Store;
use crate::projects::{ProjectScope, load_by_id, load_by_seq};
use crate::tokens::new_secret;

const WEBHOOK_SECRET: &str = "webhook_secret";
const TOKEN: &str = "token";
const SSH_KEY: &str = "ssh_key";
const KNOWN_HOSTS: &str = "known_hosts";

const ALL: &str = "SELECT name, sealed FROM source_credential WHERE project_seq = $1";
const SET: &str = "INSERT INTO source_credential (project_seq, name, sealed) VALUES ($1, $2, $3)
    ON CONFLICT (project_seq, name) DO UPDATE SET sealed = excluded.sealed";
const CLEAR: &str = "DELETE FROM source_credential WHERE project_seq = $1 AND name = $2";

/// The secrets of a project's source; those that are not set are absent.
#[derive(Clone, Default)]
pub struct SourceCredentials {
    /// With which the forge signs its webhooks.
    pub webhook_secret: Option<Secret<String>>,
    /// With which we read the repository and tell the forge how builds are.
    pub token: Option<Secret<String>>,
    /// The private key for a repository that is reached by SSH.
    pub ssh_key: Option<Secret<String>>,
    /// The host keys that we expect there, in the form of `known_hosts`.
    pub known_hosts: Option<Secret<String>>,
}

/// A change to [`SourceCredentials`].
#[derive(Clone, Default)]
pub struct SourceCredentialsPatch {
    /// See [`SourceCredentials`]. Without one, no webhook is believed.
    pub webhook_secret: Patch<Secret<String>>,
    /// See [`SourceCredentials`].
    pub token: Patch<Secret<String>>,
    /// See [`SourceCredentials`].
    pub ssh_key: Patch<Secret<String>>,
    /// See [`SourceCredentials`].
    pub known_hosts: Patch<Secret<String>>,
}

/// A project that a webhook names.
#[derive(Clone)]
pub struct WebhookTarget {
    /// The receipt. It is good for anything, so check the signature before you use it.
    pub scope: ProjectScope,
    /// The project.
    pub project: Project,
    /// With which the webhook must be signed; absent: none may be believed.
    pub secret: Option<Secret<String>>,
}

impl Store {
    /// The project with this id, of whatever account, with the secret of its webhooks. Nobody is authorised
    /// by this: the caller checks the signature of what named the project.
    ///
    /// # Errors
    /// `NotFound(Project)`.
    pub async fn webhook_target(&self, id: &ProjectId) -> Result<WebhookTarget> {
        let tx = self.db().read().await?;
        let (scope, project) = load_by_id(&tx, self.keys(), id).await?;
        let secret = credentials_of(&tx, self.keys(), &scope).await?.webhook_secret;
        Ok(WebhookTarget { scope, project, secret })
    }

    /// The secrets of the project's source.
    pub async fn source_credentials(&self, scope: &ProjectScope) -> Result<SourceCredentials> {
        credentials_of(self.db(), self.keys(), scope).await
    }

    /// Changes the secrets that the patch names.
    ///
    /// # Errors
    /// `NotFound(Project)`, `NoSource`.
    pub async fn change_source_credentials(
        &self,
        scope: &ProjectScope,
        patch: SourceCredentialsPatch,
    ) -> Result<()> {
        let tx = self.db().write("change_source_credentials").await?;
        let project = load_by_seq(&tx, self.keys(), scope.seq).await?;
        if project.source.is_none() {
            return Err(StoreError::NoSource);
        }
        let changes = [
            (WEBHOOK_SECRET, patch.webhook_secret),
            (TOKEN, patch.token),
            (SSH_KEY, patch.ssh_key),
            (KNOWN_HOSTS, patch.known_hosts),
        ];
        let mut done = Vec::new();
        for (name, change) in changes {
            match change {
                Patch::Keep => {}
                Patch::Clear => {
                    tx.run(CLEAR, values![scope.seq, name]).await?;
                    done.push((name, "removed"));
                }
                Patch::Set(secret) => {
                    set(&tx, self.keys(), scope.seq, &project.id, name, &secret).await?;
                    done.push((name, "set"));
                }
            }
        }
        scope.tell_of(&tx, "source_credentials.updated", &done).await?;
        tx.commit().await
    }
}

/// Gives a new project a secret for its webhooks.
pub(crate) async fn add_webhook_secret(tx: &Tx, keys: &Keys, seq: i64, id: &ProjectId) -> Result<()> {
    set(tx, keys, seq, id, WEBHOOK_SECRET, &new_secret()).await
}

/// Reads the secrets of a project's source.
pub(crate) async fn credentials_of(
    rows: &impl Rows,
    keys: &Keys,
    scope: &ProjectScope,
) -> Result<SourceCredentials> {
    let owner = owner(scope.project_id());
    let mut credentials = SourceCredentials::default();
    for row in rows.all(ALL, values![scope.seq]).await? {
        let name: String = row.get("name")?;
        let place = match name.as_str() {
            WEBHOOK_SECRET => &mut credentials.webhook_secret,
            TOKEN => &mut credentials.token,
            SSH_KEY => &mut credentials.ssh_key,
            KNOWN_HOSTS => &mut credentials.known_hosts,
            other => return Err(StoreError::Corrupt(format!("unknown credential {other}"))),
        };
        *place = Some(keys.unseal(&owner, &name, &row.get::<String>("sealed")?)?);
    }
    Ok(credentials)
}

async fn set(
    tx: &Tx,
    keys: &Keys,
    seq: i64,
    id: &ProjectId,
    name: &str,
    secret: &Secret<String>,
) -> Result<()> {
    let sealed = keys.seal(&owner(id), name, secret)?;
    tx.run(SET, values![seq, name, sealed]).await.map(drop)
}

fn owner(id: &ProjectId) -> String {
    format!("{id}/source")
}
