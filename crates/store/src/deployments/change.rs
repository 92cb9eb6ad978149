//! Deleting and rolling back, and what they share with canceling and retrying.

use offprint_model::deploy::{DeployTrigger, RunStatus};
use offprint_model::deployment::Deployment;
use offprint_model::id::DeploymentId;

use super::alias::{SetAlias, forget_deployment, move_alias};
use super::cancel::end_history;
use super::insert::{Wish, deploy_metadata};
use super::row::{by_seq, environment_named, seal_rows};
use crate::clock::Clock;
use crate::db::{Row, Rows, values};
use crate::error::{Entity, Result, StoreError};
use crate::feedback::drop_feedback;
use crate::history::{DeployRow, add_deploy, deploy_completed, deploy_running, sealed_and_live};
use crate::open::Store;
use crate::projects::ProjectScope;
use crate::routing::routes_changed;
use crate::stored::stages_from_json;

const FIND: &str =
    "SELECT d.seq, d.site_id, d.build_seq, d.environment, d.label, d.branch, d.production_branch,
        d.commit_hash, d.commit_message, d.commit_dirty, d.cause, d.stages, d.activated, d.build_config,
        d.config, d.source, d.uses_functions, d.ended, d.skipped, d.built, d.untrusted, d.pull_request, p.canonical,
        (SELECT count(*) FROM branch_alias a WHERE a.deployment_seq = d.seq) AS aliases
    FROM deployment d JOIN project p ON p.seq = d.project_seq
    WHERE d.project_seq = $1 AND d.id = $2 AND d.deleted IS NULL";
pub(super) const DROP_JOB: &str = "UPDATE job SET state = 'dropped', lease_until = 0
    WHERE deployment_seq = $1 AND state IN ('ready', 'leased')";
const DELETE_LOG: &str = "DELETE FROM log WHERE deployment_seq = $1";
/// Settings may hold secrets; a grave needs none.
const BURY: &str = "UPDATE deployment
    SET deleted = $2, site_id = NULL, build_config = '', config = '', source = NULL WHERE seq = $1";
pub(crate) const RELEASE_SITE: &str = "UPDATE site SET released = $2
    WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM deployment d WHERE d.site_id = $1)
    AND NOT EXISTS (SELECT 1 FROM build b WHERE b.site_id = $1 AND b.version_seq IS NOT NULL)";

impl Store {
    /// Deletes a deployment. Its host answers "gone" from now on if it was ever served; work under way for
    /// it loses its lease; its blobs go with a later collection unless others share them.
    ///
    /// # Errors
    /// `NotFound(Deployment)`, `DeploymentIsLive`, and without `force` `DeploymentIsAliased`. With it the
    /// branch alias is removed, as the real service does; no older deployment takes its place.
    pub async fn delete_deployment(
        &self,
        scope: &ProjectScope,
        id: &DeploymentId,
        force: bool,
    ) -> Result<()> {
        let tx = self.db().write("delete_deployment").await?;
        let row = find(&tx, scope, id).await?;
        let seq: i64 = row.get("seq")?;
        if row.get::<Option<i64>>("canonical")? == Some(seq) {
            return Err(StoreError::DeploymentIsLive);
        }
        if row.get::<i64>("aliases")? > 0 && !force {
            return Err(StoreError::DeploymentIsAliased);
        }
        let now = Clock::now();
        forget_deployment(&tx, seq).await?;
        tx.run(DROP_JOB, values![seq]).await?;
        tx.run(DELETE_LOG, values![seq]).await?;
        drop_feedback(&tx, seq).await?;
        let why = Some("The deployment was deleted.");
        end_history(&tx, seq, RunStatus::Cancelled, why, &scope.actor, now).await?;
        scope.tell_of(&tx, "deployment.deleted", &[("deploymentId", id.as_str())]).await?;
        tx.run(BURY, values![seq, now]).await?;
        if let Some(site) = row.get::<Option<i64>>("site_id")? {
            tx.run(RELEASE_SITE, values![site, now]).await?;
        }
        if row.time_opt("activated")?.is_some() {
            routes_changed(&tx, scope.project_name()).await?;
        }
        tx.commit().await
    }

    /// Serves an older (or newer) successful deployment again, at once and without a job: production on the
    /// project's own host, a preview on the host of its branch. It stays until a deployment that is asked for
    /// later comes to its end.
    ///
    /// # Errors
    /// `NotFound(Deployment)`; `NotRollbackable` for one that was not successful; `Unsealed` when bytes of it
    /// are lost.
    pub async fn rollback(&self, scope: &ProjectScope, id: &DeploymentId) -> Result<Deployment> {
        let sealed = find(self.db(), scope, id).await?;
        self.check_seal(rollback_site(&sealed)?).await?;
        let tx = self.db().write("rollback").await?;
        // Between the seal and here it may have been deleted; its pins hold as long as it was not.
        let row = find(&tx, scope, id).await?;
        rollback_site(&row)?;
        let (seq, now) = (row.get("seq")?, Clock::now());
        let (environment, branch): (String, String) = (row.get("environment")?, row.get("branch")?);
        let commit: String = row.get("commit_hash")?;
        let new = DeployRow {
            project_seq: scope.seq,
            deployment_seq: seq,
            cause: Wish::Rollback.as_str(),
            prompt: DeployTrigger::Rollback,
            metadata: Some(deploy_metadata(&environment, &branch, id.as_str(), &commit).to_string()),
            follows_target: false,
            actor: &scope.actor,
        };
        let order = add_deploy(&tx, new, now).await?;
        deploy_running(&tx, order, now).await?;
        let alias = SetAlias {
            project_seq: scope.seq,
            environment: environment_named(&environment)?,
            label: row.get("label")?,
            deployment_seq: seq,
            order,
        };
        let moved = move_alias(&tx, alias).await?;
        routes_changed(&tx, scope.project_name()).await?;
        sealed_and_live(&tx, order, None, moved, now).await?;
        deploy_completed(&tx, order, &scope.actor, now).await?;
        let deployment = by_seq(&tx, self.keys(), seq).await?;
        tx.commit().await?;
        Ok(deployment)
    }

    /// Looks for every byte of a site: its rows, and unless it was sealed before, its files.
    pub(crate) async fn check_seal(&self, site: i64) -> Result<()> {
        let rows = seal_rows(self.db(), site).await?;
        let mut missing = self.blob_store().missing(rows.unseen).await?;
        // The document is read for serving anyway, and is a single file.
        if missing.is_empty() && self.blobs().open(&rows.document).await.is_err() {
            missing.push(rows.document);
        }
        match missing.first() {
            None => Ok(()),
            Some(first) => Err(StoreError::Unsealed { first: *first, total: missing.len() }),
        }
    }
}

pub(super) async fn find(rows: &impl Rows, scope: &ProjectScope, id: &DeploymentId) -> Result<Row> {
    let row = rows.one(FIND, values![scope.seq, id.as_str()]).await?;
    row.ok_or(StoreError::NotFound(Entity::Deployment))
}

/// The site of a deployment that may be rolled back to.
fn rollback_site(row: &Row) -> Result<i64> {
    let stages = stages_from_json(&row.get::<String>("stages")?)?;
    if !stages.is_terminal() {
        return Err(StoreError::NotRollbackable("the deployment has not ended yet"));
    }
    if !stages.is_success() || row.time_opt("activated")?.is_none() {
        return Err(StoreError::NotRollbackable("the deployment was not successful"));
    }
    let site = row.get::<Option<i64>>("site_id")?;
    site.ok_or(StoreError::NotRollbackable("the deployment has no content"))
}
