//! What only the worker of a build does to its deployment.

use offprint_model::deploy::RunStatus;
use offprint_model::deployment::{Commit, SkipReason};

use super::{Lease, finish, holds, write_stages};
use crate::builds::skipped;
use crate::clock::Clock;
use crate::db::{Row, Rows, Tx, values};
use crate::deployments::{
    NewContent, Prepared, RELEASE_SITE, UploadedConfiguration, apply, apply_to, by_seq, end_history,
    ensure_site,
};
use crate::error::{Result, StoreError};
use crate::events::Actor;
use crate::history::end_build;
use crate::open::{Store, to_the_end};
use crate::projects::{ProjectScope, load_by_seq, load_scoped, settings_owner, write_settings};
use crate::stored::{build_config_to_json, environment_to_json};

const DEPLOYMENT: &str = "SELECT project_seq, build_seq, site_id, untrusted FROM deployment
    WHERE seq = $1 AND ended IS NULL AND deleted IS NULL";
/// What is known already stays; a message belongs to its hash.
const SET_COMMIT: &str = "UPDATE deployment SET commit_hash = $2,
        commit_message = CASE commit_message WHEN '' THEN $3 ELSE commit_message END
    WHERE seq = $1 AND (commit_hash = '' OR commit_hash = $2)";
const SET_SITE: &str =
    "UPDATE deployment SET site_id = $2, uses_functions = $3, modified = $4 WHERE seq = $1";
const SET_BUILD_SITE: &str = "UPDATE build SET site_id = $2 WHERE seq = $1";
const SET_CONFIG: &str = "UPDATE deployment SET config = $2, build_config = $3 WHERE seq = $1";
const SKIPPED: &str = "UPDATE deployment SET skipped = $2 WHERE seq = $1";

impl Store {
    /// The receipt for the project of a build, to store its assets with.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn project_scope(&self, lease: &Lease) -> Result<ProjectScope> {
        let tx = self.db().read().await?;
        let row = unfinished(&tx, lease).await?;
        Ok(load_scoped(&tx, self.keys(), row.get("project_seq")?).await?.0)
    }

    /// Notes which commit is built, once it is known. What was known before stays as it is.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn set_commit(&self, lease: &Lease, commit: Commit) -> Result<()> {
        let tx = self.db().write("set_commit").await?;
        unfinished(&tx, lease).await?;
        tx.run(SET_COMMIT, values![lease.deployment_seq, commit.hash, commit.message]).await?;
        tx.commit().await
    }

    /// Gives a build its content: from here on it can be sealed. The assets are stored already. Content of an
    /// earlier attempt is let go of. All of it happens, or nothing.
    ///
    /// Settings that came with the content become the project's as well, unless they are a stranger's.
    ///
    /// # Errors
    /// `LeaseLost`; for the content as [`Store::create_deployment`].
    pub async fn attach_content(&self, lease: &Lease, content: NewContent) -> Result<()> {
        let (store, lease) = (self.clone(), lease.clone());
        to_the_end(async move { store.attach_content_now(&lease, content).await }).await
    }

    async fn attach_content_now(&self, lease: &Lease, mut content: NewContent) -> Result<()> {
        let scope = self.project_scope(lease).await?;
        let configuration = content.configuration.take();
        let _guard = self.collection_lock().upload().await?;
        let prepared = self.prepare(&scope, &content).await?;
        let tx = self.db().write("attach_content").await?;
        let row = unfinished(&tx, lease).await?;
        if let Some(configuration) = configuration {
            self.apply_configuration(&tx, lease, &row, configuration).await?;
        }
        attach(&tx, lease, &scope, &row, &prepared).await?;
        tx.commit().await
    }

    /// Ends a build that turned out not to be wanted, as when its commit says so. What is served does not change.
    ///
    /// # Errors
    /// `LeaseLost`; `IllegalStages` when the deployment has ended.
    pub async fn skip_deployment(&self, lease: &Lease, reason: SkipReason) -> Result<()> {
        let tx = self.db().write("skip_deployment").await?;
        let now = Clock::now();
        holds(&tx, lease).await?;
        let stages = by_seq(&tx, self.keys(), lease.deployment_seq).await?.stages;
        write_stages(&tx, lease, skipped(stages, now)?, now).await?;
        tx.run(SKIPPED, values![lease.deployment_seq, reason.as_str()]).await?;
        end_history(
            &tx,
            lease.deployment_seq,
            RunStatus::Cancelled,
            Some("Skipped."),
            &Actor::default(),
            now,
        )
        .await?;
        finish(&tx, lease).await?;
        tx.commit().await
    }

    async fn apply_configuration(
        &self,
        tx: &Tx,
        lease: &Lease,
        row: &Row,
        configuration: UploadedConfiguration,
    ) -> Result<()> {
        let project_seq = row.get("project_seq")?;
        let mut deployment = by_seq(tx, self.keys(), lease.deployment_seq).await?;
        let mut project = load_by_seq(tx, self.keys(), project_seq).await?;
        if !row.get::<bool>("untrusted")? {
            apply(&mut project, deployment.environment, configuration.clone());
            write_settings(tx, self.keys(), project_seq, &project).await?;
        }
        apply_to(&mut deployment.config, &mut deployment.build_config, configuration);
        let owner = settings_owner(&project.id, deployment.environment);
        let config = environment_to_json(&deployment.config, self.keys(), &owner)?;
        let build_config = build_config_to_json(&deployment.build_config)?;
        tx.run(SET_CONFIG, values![lease.deployment_seq, config, build_config]).await.map(drop)
    }
}

async fn attach(tx: &Tx, lease: &Lease, scope: &ProjectScope, row: &Row, prepared: &Prepared) -> Result<()> {
    let site = ensure_site(tx, scope, prepared).await?;
    let now = Clock::now();
    let uses_functions = prepared.document.worker.is_some();
    tx.run(SET_SITE, values![lease.deployment_seq, site, uses_functions, now]).await?;
    let build: i64 = row.get("build_seq")?;
    tx.run(SET_BUILD_SITE, values![build, site]).await?;
    end_build(tx, build, RunStatus::Completed, None, &Actor::default(), now).await?;
    match row.get::<Option<i64>>("site_id")? {
        Some(before) if before != site => tx.run(RELEASE_SITE, values![before, now]).await.map(drop),
        _ => Ok(()),
    }
}

/// The row of the leased deployment.
async fn unfinished(rows: &impl Rows, lease: &Lease) -> Result<Row> {
    holds(rows, lease).await?;
    rows.one(DEPLOYMENT, values![lease.deployment_seq]).await?.ok_or(StoreError::LeaseLost)
}
