//! Canceling, and the other ways in which a deployment ends before its job does.

use offprint_model::deployment::{Deployment, LogLine, SkipReason};
use offprint_model::id::DeploymentId;
use offprint_model::stages::Stages;

use super::change::{DROP_JOB, END_DEPLOYS, find};
use super::row::by_seq;
use crate::clock::Clock;
use crate::db::{Tx, values};
use crate::error::{Result, StoreError};
use crate::feedback::note_feedback;
use crate::open::Store;
use crate::projects::{ProjectScope, json};
use crate::sql;
use crate::stored::{stages_from_json, stages_to_json};

const END: &str = "UPDATE deployment SET stages = $2, skipped = $3, modified = $4, ended = $4
    WHERE seq = $1 AND ended IS NULL AND deleted IS NULL";

impl Store {
    /// Stops a deployment. When this returns, it is never activated: whoever works on it has lost the lease.
    ///
    /// # Errors
    /// `NotFound(Deployment)`; `NotCancelable` when it has ended, be it a moment ago.
    pub async fn cancel_deployment(&self, scope: &ProjectScope, id: &DeploymentId) -> Result<Deployment> {
        let tx = self.db().write("cancel_deployment").await?;
        let row = find(&tx, scope, id).await?;
        if row.time_opt("ended")?.is_some() {
            return Err(StoreError::NotCancelable);
        }
        let now = Clock::now();
        let stages = stages_from_json(&row.get::<String>("stages")?)?;
        let stages = stages.cancel(now).map_err(|_| StoreError::NotCancelable)?;
        let seq = row.get("seq")?;
        let line = LogLine { at: now, text: "Canceled.".into() };
        end_unfinished(&tx, seq, stages, None, line).await?;
        let deployment = by_seq(&tx, self.keys(), seq).await?;
        tx.commit().await?;
        Ok(deployment)
    }
}

/// Ends a deployment without its worker, at the time of the line: the job is dropped, so whoever holds it has lost
/// it.
pub(crate) async fn end_unfinished(
    tx: &Tx,
    deployment_seq: i64,
    stages: Stages,
    skipped: Option<SkipReason>,
    line: LogLine,
) -> Result<()> {
    let reason = skipped.map(SkipReason::as_str);
    let ended = tx.run(END, values![deployment_seq, stages_to_json(&stages)?, reason, line.at]).await?;
    if ended == 0 {
        return Err(StoreError::NotCancelable);
    }
    tx.run(DROP_JOB, values![deployment_seq]).await?;
    tx.run(END_DEPLOYS, values![deployment_seq, line.at]).await?;
    tx.run(sql::APPEND_LOG, values![deployment_seq, json(&[(line.at.as_micros(), line.text)])?]).await?;
    note_feedback(tx, deployment_seq, line.at).await
}
