//! Canceling, and the other ways in which a deployment ends before its job does.

use offprint_model::deploy::RunStatus;
use offprint_model::deployment::{Deployment, LogLine, SkipReason};
use offprint_model::id::DeploymentId;
use offprint_model::stages::Stages;
use offprint_model::time::Timestamp;

use super::change::{DROP_JOB, find};
use super::row::by_seq;
use crate::clock::Clock;
use crate::db::{Rows, Tx, values};
use crate::error::{Entity, Result, StoreError};
use crate::events::Actor;
use crate::feedback::note_feedback;
use crate::history::{end_build, end_deploys_of};
use crate::open::Store;
use crate::projects::{ProjectScope, json};
use crate::sql;
use crate::stored::{stages_from_json, stages_to_json};

const END: &str = "UPDATE deployment SET stages = $2, skipped = $3, modified = $4, ended = $4
    WHERE seq = $1 AND ended IS NULL AND deleted IS NULL";
const STAGES: &str = "SELECT stages, ended FROM deployment WHERE seq = $1 AND deleted IS NULL";
const BUILD: &str = "SELECT build_seq FROM deployment WHERE seq = $1";

impl Store {
    /// Stops a deployment. When this returns, it is never activated: whoever works on it has lost the lease.
    ///
    /// # Errors
    /// `NotFound(Deployment)`; `NotCancelable` when it has ended, be it a moment ago.
    pub async fn cancel_deployment(&self, scope: &ProjectScope, id: &DeploymentId) -> Result<Deployment> {
        let tx = self.db().write("cancel_deployment").await?;
        let seq = find(&tx, scope, id).await?.get("seq")?;
        cancel(&tx, seq, None, &scope.actor).await?;
        let deployment = by_seq(&tx, self.keys(), seq).await?;
        tx.commit().await?;
        Ok(deployment)
    }
}

/// Stops a deployment that has not ended.
pub(crate) async fn cancel(tx: &Tx, deployment_seq: i64, reason: Option<&str>, actor: &Actor) -> Result<()> {
    let row = tx.one(STAGES, values![deployment_seq]).await?;
    let row = row.ok_or(StoreError::NotFound(Entity::Deployment))?;
    if row.time_opt("ended")?.is_some() {
        return Err(StoreError::NotCancelable);
    }
    let now = Clock::now();
    let stages = stages_from_json(&row.get::<String>("stages")?)?;
    let stages = stages.cancel(now).map_err(|_| StoreError::NotCancelable)?;
    let text = match reason {
        None => "Canceled.".to_owned(),
        Some(reason) => format!("Canceled: {reason}"),
    };
    let end = Unfinished { stages, skipped: None, line: LogLine { at: now, text } };
    end_unfinished(tx, deployment_seq, end, actor).await
}

/// How a deployment ends without its worker.
pub(crate) struct Unfinished {
    pub(crate) stages: Stages,
    pub(crate) skipped: Option<SkipReason>,
    /// The last line of its log, and the time.
    pub(crate) line: LogLine,
}

/// Ends a deployment without its worker, at the time of the line: the job is dropped, so whoever holds it has lost
/// it.
pub(crate) async fn end_unfinished(
    tx: &Tx,
    deployment_seq: i64,
    end: Unfinished,
    actor: &Actor,
) -> Result<()> {
    let Unfinished { stages, skipped, line } = end;
    let reason = skipped.map(SkipReason::as_str);
    let ended = tx.run(END, values![deployment_seq, stages_to_json(&stages)?, reason, line.at]).await?;
    if ended == 0 {
        return Err(StoreError::NotCancelable);
    }
    tx.run(DROP_JOB, values![deployment_seq]).await?;
    end_history(tx, deployment_seq, RunStatus::Cancelled, Some(&line.text), actor, line.at).await?;
    tx.run(
        sql::APPEND_LOG.of(tx.engine()),
        values![deployment_seq, json(&[(line.at.as_micros(), line.text)])?],
    )
    .await?;
    note_feedback(tx, deployment_seq, line.at).await
}

/// Ends the build and the deploys of a deployment, as far as they have not ended.
pub(crate) async fn end_history(
    tx: &Tx,
    deployment_seq: i64,
    status: RunStatus,
    error: Option<&str>,
    actor: &Actor,
    now: Timestamp,
) -> Result<()> {
    let row = tx.one(BUILD, values![deployment_seq]).await?;
    if let Some(row) = row {
        end_build(tx, row.get("build_seq")?, status, error, actor, now).await?;
    }
    end_deploys_of(tx, deployment_seq, status, error, actor, now).await
}
