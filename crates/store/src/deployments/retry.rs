//! Retrying: a new deployment of the same commit with the same settings.

use offprint_model::deploy::BuildTrigger;
use offprint_model::deployment::{Commit, Deployment};
use offprint_model::id::DeploymentId;

use super::change::find;
use super::insert::{Insert, Snapshot, Wish};
use super::row::{by_seq, environment_named};
use crate::clock::Clock;
use crate::db::{Row, Tx};
use crate::error::{Result, StoreError};
use crate::history::{BuildRow, add_build};
use crate::jobs::JobKind;
use crate::open::Store;
use crate::projects::ProjectScope;
use crate::source::{Approval, approval};

impl Store {
    /// Makes a new deployment with the same settings, queued. What was uploaded is deployed again as it is; what
    /// came from the repository is built again from the same commit, also when it had been skipped.
    ///
    /// # Errors
    /// `NotFound(Deployment)`; `NotApproved` for a skipped build of a fork.
    pub async fn retry_deployment(&self, scope: &ProjectScope, id: &DeploymentId) -> Result<Deployment> {
        let tx = self.db().write("retry_deployment").await?;
        let row = find(&tx, scope, id).await?;
        let seq = match row.get("built")? {
            true => retry_build(&tx, scope, &row).await?,
            false => retry_upload(&tx, scope, &row).await?,
        };
        let deployment = by_seq(&tx, self.keys(), seq).await?;
        tx.commit().await?;
        Ok(deployment)
    }
}

async fn retry_upload(tx: &Tx, scope: &ProjectScope, row: &Row) -> Result<i64> {
    let site: Option<i64> = row.get("site_id")?;
    if site.is_none() {
        return Err(StoreError::Corrupt("an uploaded deployment has no site".into()));
    }
    let uses_functions = row.get("uses_functions")?;
    let insert = Insert { site_id: site, uses_functions, ..again(scope, row, JobKind::Upload)? };
    insert.run(tx, Wish::Retry).await
}

async fn retry_build(tx: &Tx, scope: &ProjectScope, row: &Row) -> Result<i64> {
    // One that was built was approved then. One that was skipped perhaps never was.
    if row.get("untrusted")? && row.get::<Option<String>>("skipped")?.is_some() {
        let number = row.get::<Option<i64>>("pull_request")?.and_then(|number| u64::try_from(number).ok());
        let number = number.ok_or(StoreError::NotApproved)?;
        match approval(tx, scope.seq, number, &row.get::<String>("commit_hash")?).await? {
            Approval::Given => {}
            Approval::NotNeeded | Approval::Missing => return Err(StoreError::NotApproved),
        }
    }
    let build = BuildRow::of_repository(scope.seq, BuildTrigger::Redeploy, None, &scope.actor);
    let build_seq = add_build(tx, build, Clock::now()).await?;
    Insert { build_seq, ..again(scope, row, JobKind::Build)? }.run(tx, Wish::Retry).await
}

/// The rows of a deployment like another, without its content.
fn again(scope: &ProjectScope, row: &Row, kind: JobKind) -> Result<Insert> {
    Ok(Insert {
        project_seq: scope.seq,
        build_seq: row.get("build_seq")?,
        site_id: None,
        environment: environment_named(&row.get::<String>("environment")?)?.as_str(),
        label: row.get("label")?,
        branch: row.get("branch")?,
        commit: Commit {
            hash: row.get("commit_hash")?,
            message: row.get("commit_message")?,
            dirty: row.get("commit_dirty")?,
        },
        cause: row.get("cause")?,
        snapshot: Snapshot {
            production_branch: row.get("production_branch")?,
            build_config: row.get("build_config")?,
            config: row.get("config")?,
            source: row.get("source")?,
        },
        uses_functions: false,
        kind,
        skipped: None,
        untrusted: row.get("untrusted")?,
        pull_request: row.get("pull_request")?,
        actor: scope.actor.clone(),
    })
}
