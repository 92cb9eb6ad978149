//! What a project that is built from git has beside its settings: credentials, deploy hooks, deliveries of
//! webhooks, pull requests, and the heads of a polled repository.

mod credentials;
mod deliveries;
mod heads;
mod hooks;
mod pull_requests;

pub use credentials::{SourceCredentials, SourceCredentialsPatch, WebhookTarget};
pub use deliveries::Delivery;
pub use heads::PolledProject;
pub use hooks::{DeployHook, HookTarget};
pub use pull_requests::{PullRequest, PullRequestRow};

pub(crate) use credentials::{add_webhook_secret, credentials_of};
pub(crate) use deliveries::note_new_delivery;
pub(crate) use pull_requests::{Approval, approval};

use crate::db::{Tx, values};
use crate::error::Result;

/// Everything that names a repository, for a project that has none any more or is deleted.
const FORGET: [&str; 5] = [
    "DELETE FROM source_credential WHERE project_seq = $1",
    "DELETE FROM deploy_hook WHERE project_seq = $1",
    "DELETE FROM delivery WHERE project_seq = $1",
    "DELETE FROM pull_request WHERE project_seq = $1",
    "DELETE FROM source_head WHERE project_seq = $1",
];

/// Removes everything of this module that a project has.
pub(crate) async fn forget_source(tx: &Tx, project_seq: i64) -> Result<()> {
    for statement in FORGET {
        tx.run(statement, values![project_seq]).await?;
    }
    Ok(())
}
