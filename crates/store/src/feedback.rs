//! What a forge is still to be told: the outbox of deployments whose state has changed.
//!
//! One row a deployment, written in the transaction that changes its state. The row holds no state: whoever tells
//! the forge reads the deployment as it is then. A change meanwhile makes a new version of the row, which is told as
//! well; so a forge may hear a state twice, and always hears the last.

use std::time::Duration;

use offprint_model::deployment::Deployment;
use offprint_model::project::Source;
use offprint_model::secret::Secret;
use offprint_model::time::Timestamp;

use crate::db::{Row, Rows, Tx, values};
use crate::deployments::by_seq;
use crate::error::{Result, StoreError};
use crate::jobs::after;
use crate::open::Store;
use crate::projects::{ProjectScope, load_scoped};
use crate::source::credentials_of;

/// Lets quick changes in a row be told as one.
const PATIENCE: Duration = Duration::from_millis(200);

/// Only deployments that were built, and only where there is a token to tell the forge with.
const NOTE: &str = "INSERT INTO feedback (deployment_seq, due)
    SELECT d.seq, $2 FROM deployment d WHERE d.seq = $1 AND d.built = 1 AND d.deleted IS NULL AND EXISTS
        (SELECT 1 FROM source_credential c WHERE c.project_seq = d.project_seq AND c.name = 'token')
    ON CONFLICT (deployment_seq) DO UPDATE SET version = feedback.version + 1, due = excluded.due, failures = 0";
/// The pull request of a deployment is the one that it was built for, else the open one of its branch.
const DUE: &str = "SELECT f.deployment_seq, f.version, f.failures, d.project_seq,
        coalesce(d.pull_request, (SELECT max(q.number) FROM pull_request q WHERE q.project_seq = d.project_seq
            AND q.branch = d.branch AND q.open = 1 AND q.fork = 0 AND d.untrusted = 0)) AS pull_request,
        NOT EXISTS (SELECT 1 FROM deployment n WHERE n.project_seq = d.project_seq AND n.label = d.label
            AND n.seq > d.seq AND n.deleted IS NULL AND n.built = 1) AS newest
    FROM feedback f JOIN deployment d ON d.seq = f.deployment_seq
    WHERE f.due <= $1 ORDER BY f.due, f.deployment_seq LIMIT $2";
const COMMENT: &str = "SELECT comment_id FROM pull_request WHERE project_seq = $1 AND number = $2";
const NOTE_COMMENT: &str = "UPDATE pull_request SET comment_id = $3 WHERE project_seq = $1 AND number = $2";
const DONE: &str = "DELETE FROM feedback WHERE deployment_seq = $1 AND version = $2";
const DROP: &str = "DELETE FROM feedback WHERE deployment_seq = $1";
const FAILED: &str = "UPDATE feedback SET due = $3, failures = failures + 1
    WHERE deployment_seq = $1 AND version = $2";

/// Names one version of a row of the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedbackId {
    deployment_seq: i64,
    version: i64,
}

/// A deployment of whose state a forge is to be told.
#[derive(Clone)]
pub struct FeedbackItem {
    /// For [`Store::feedback_done`] and [`Store::feedback_failed`].
    pub id: FeedbackId,
    /// How often this version has failed.
    pub failures: u32,
    /// The receipt for the project.
    pub scope: ProjectScope,
    /// The deployment as it is now.
    pub deployment: Deployment,
    /// The project's source as it is set now.
    pub source: Source,
    /// The token for the forge.
    pub token: Secret<String>,
    /// The pull request that the deployment belongs to.
    pub pull_request: Option<u64>,
    /// Its comment, where one is known.
    pub comment_id: Option<String>,
    /// Whether no later deployment has the same branch host: an older one must not overwrite the comment.
    pub newest: bool,
}

impl Store {
    /// The deployments whose forge is to be told by now, the longest waiting first. One whose project has no
    /// repository or token any more is taken off the list instead.
    pub async fn due_feedback(&self, now: Timestamp, limit: u32) -> Result<Vec<FeedbackItem>> {
        let tx = self.db().read().await?;
        let (mut due, mut stale) = (Vec::new(), Vec::new());
        for row in tx.all(DUE, values![now, i64::from(limit)]).await? {
            match self.item_of(&tx, &row).await? {
                Ok(item) => due.push(item),
                Err(id) => stale.push(id),
            }
        }
        drop(tx);
        for id in stale {
            self.feedback_done(id).await?;
        }
        Ok(due)
    }

    /// Takes a deployment off the list: its forge knows. Nothing happens when its state has changed since.
    pub async fn feedback_done(&self, id: FeedbackId) -> Result<()> {
        let tx = self.db().write("feedback_done").await?;
        tx.run(DONE, values![id.deployment_seq, id.version]).await?;
        tx.commit().await
    }

    /// Puts a deployment off whose forge could not be told. Nothing happens when its state has changed since.
    pub async fn feedback_failed(&self, id: FeedbackId, due: Timestamp) -> Result<()> {
        let tx = self.db().write("feedback_failed").await?;
        tx.run(FAILED, values![id.deployment_seq, id.version, due]).await?;
        tx.commit().await
    }

    /// Remembers which comment of a pull request is ours; `None`: it is gone. Nothing happens for a pull request
    /// that is not known.
    pub async fn note_comment(
        &self,
        scope: &ProjectScope,
        pull_request: u64,
        comment_id: Option<&str>,
    ) -> Result<()> {
        let Ok(number) = i64::try_from(pull_request) else { return Ok(()) };
        let tx = self.db().write("note_comment").await?;
        tx.run(NOTE_COMMENT, values![scope.seq, number, comment_id]).await?;
        tx.commit().await
    }

    /// `Err`: there is nobody to tell, or nothing to tell it with.
    async fn item_of(&self, tx: &Tx, row: &Row) -> Result<Result<FeedbackItem, FeedbackId>> {
        let deployment_seq: i64 = row.get("deployment_seq")?;
        let id = FeedbackId { deployment_seq, version: row.get("version")? };
        let (scope, project) = load_scoped(tx, self.keys(), row.get("project_seq")?).await?;
        let credentials = credentials_of(tx, self.keys(), &scope).await?;
        let (Some(source), Some(token)) = (project.source, credentials.token) else { return Ok(Err(id)) };
        let deployment = match by_seq(tx, self.keys(), deployment_seq).await {
            Err(StoreError::NotFound(_)) => return Ok(Err(id)),
            deployment => deployment?,
        };
        let number: Option<i64> = row.get("pull_request")?;
        let comment = match number {
            Some(number) => tx.one(COMMENT, values![scope.seq, number]).await?,
            None => None,
        };
        let comment_id = comment.map(|row| row.get::<Option<String>>("comment_id")).transpose()?.flatten();
        Ok(Ok(FeedbackItem {
            id,
            failures: u32::try_from(row.get::<i64>("failures")?).unwrap_or(u32::MAX),
            scope,
            deployment,
            source,
            token,
            pull_request: number.and_then(|number| u64::try_from(number).ok()),
            comment_id,
            newest: row.get("newest")?,
        }))
    }
}

/// Notes, in the transaction that changes a deployment's state, that its forge is to be told.
pub(crate) async fn note_feedback(tx: &Tx, deployment_seq: i64, now: Timestamp) -> Result<()> {
    tx.run(NOTE, values![deployment_seq, after(now, PATIENCE)]).await.map(drop)
}

/// Nobody needs to be told of a deployment that is deleted.
pub(crate) async fn drop_feedback(tx: &Tx, deployment_seq: i64) -> Result<()> {
    tx.run(DROP, values![deployment_seq]).await.map(drop)
}
