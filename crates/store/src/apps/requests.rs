//! Deploys and cancels that somebody asks the Deploys API for.

use offprint_model::config::Environment;
use offprint_model::deploy::RunStatus;
use offprint_model::deployment::{Commit, Trigger};
use offprint_model::listing::Entity as Listed;

use super::build_jobs;
use crate::assets::hash_of;
use crate::db::{Row, Rows, Tx, values};
use crate::deployments::{Insert, Snapshot, Wish, cancel, label};
use crate::error::{Entity, Result, StoreError};
use crate::jobs::JobKind;
use crate::lists::{Listing, Reach};
use crate::open::Store;
use crate::projects::load_scoped;
use crate::site::SiteHash;

/// What is to be deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeployWish {
    /// The build with this id.
    Build(String),
    /// The latest successful build of the default version of the app with this id; of any version, and of what came
    /// over the Pages API, while there is none.
    App(String),
}

const BUILD: &str = "SELECT b.seq, b.id, b.project_seq, b.status, b.site_id, b.version_seq, s.hash, p.canonical,
        p.deleted AS app_deleted,
        EXISTS (SELECT 1 FROM deployment d WHERE d.build_seq = b.seq AND d.untrusted = $2) AS untrusted,
        EXISTS (SELECT 1 FROM deployment d WHERE d.build_seq = b.seq AND d.activated IS NOT NULL
            AND d.environment = 'production') AS was_live,
        EXISTS (SELECT 1 FROM deployment d WHERE d.build_seq = b.seq AND d.seq = p.canonical) AS is_live
    FROM build b JOIN project p ON p.seq = b.project_seq LEFT JOIN site s ON s.id = b.site_id WHERE b.id = $1";
const LATEST_OF_DEFAULT: &str = "SELECT b.id FROM build b JOIN project p ON p.seq = b.project_seq
    WHERE p.public_id = $1 AND b.version_seq = p.default_version AND b.status = 'completed'
    ORDER BY b.number DESC LIMIT 1";
const LATEST: &str = "SELECT b.id FROM build b JOIN project p ON p.seq = b.project_seq
    WHERE p.public_id = $1 AND p.default_version IS NULL AND b.status = 'completed' AND b.site_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM deployment d WHERE d.build_seq = b.seq
            AND (d.environment <> 'production' OR d.untrusted = $2))
    ORDER BY b.number DESC LIMIT 1";
const LAST_COMMIT: &str = "SELECT commit_hash, commit_message, commit_dirty FROM deployment
    WHERE build_seq = $1 ORDER BY seq DESC LIMIT 1";
const KEEP_SITE: &str = "UPDATE site SET released = NULL WHERE id = $1";
const FIRST_VERSION: &str =
    "UPDATE project SET default_version = $2 WHERE seq = $1 AND default_version IS NULL";
const DEPLOY_OF: &str = "SELECT y.id FROM deploy y WHERE y.deployment_seq = $1 ORDER BY y.seq LIMIT 1";
const DEPLOYMENT: &str = "SELECT y.deployment_seq, y.status FROM deploy y WHERE y.id = $1";
const OF_BUILD: &str =
    "SELECT b.seq, b.status, (SELECT d.seq FROM deployment d WHERE d.build_seq = b.seq AND d.built = $2
        AND d.ended IS NULL AND d.deleted IS NULL) AS deployment
    FROM build b WHERE b.id = $1";

impl Store {
    /// Deploys a build to its app's production: a deployment of the Pages API, with a job. One that was live before and
    /// is not now is a rollback.
    ///
    /// # Errors
    /// `NotFound(Build)`, `NotFound(App)`; `NotDeployable` when the build has not completed, comes from a fork, or
    /// there is none.
    pub async fn create_deploy(&self, reach: &Reach, wish: &DeployWish) -> Result<Listing> {
        let build = self.build_wished_for(reach, wish).await?;
        let uses_functions = self.uses_functions(&build).await?;
        let tx = self.db().write("create_deploy").await?;
        self.found(&tx, reach, Listed::Build, &build).await?;
        let row = build_row(&tx, &build).await?;
        let site = deployable(&row)?;
        let (scope, project) = load_scoped(&tx, self.keys(), row.get("project_seq")?).await?;
        let build_seq: i64 = row.get("seq")?;
        tx.run(KEEP_SITE, values![site]).await?;
        let insert = Insert {
            project_seq: scope.seq,
            build_seq,
            site_id: Some(site),
            environment: Environment::Production.as_str(),
            label: label(&tx, scope.seq, &project.production_branch).await?,
            branch: project.production_branch.as_str().to_owned(),
            commit: last_commit(&tx, build_seq).await?,
            cause: Trigger::AdHoc.as_str().to_owned(),
            snapshot: Snapshot::of(self, &project, Environment::Production)?,
            uses_functions,
            kind: JobKind::Upload,
            skipped: None,
            untrusted: false,
            pull_request: None,
            actor: reach.actor.clone(),
        };
        let was_replaced = row.get::<bool>("was_live")? && !row.get::<bool>("is_live")?;
        let wish = if was_replaced { Wish::Rollback } else { Wish::Create };
        let deployment = insert.run(&tx, wish).await?;
        if let Some(version) = row.get::<Option<i64>>("version_seq")? {
            tx.run(FIRST_VERSION, values![scope.seq, version]).await?;
        }
        let row = tx.one(DEPLOY_OF, values![deployment]).await?;
        let id: String =
            row.ok_or_else(|| StoreError::Corrupt("a deployment has no deploy".into()))?.get("id")?;
        let made = self.found(&tx, reach, Listed::Deploy, &id).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Cancels a deploy that has not ended. When this returns, production will not move because of it.
    ///
    /// # Errors
    /// `NotFound(Deploy)`; `NotCancelable` when it has ended or is live already, be it a moment ago.
    pub async fn cancel_deploy(&self, reach: &Reach, id: &str, reason: Option<&str>) -> Result<()> {
        let tx = self.db().write("cancel_deploy").await?;
        self.found(&tx, reach, Listed::Deploy, id).await?;
        let row = tx.one(DEPLOYMENT, values![id]).await?;
        let row = row.ok_or(StoreError::NotFound(Entity::Listed(Listed::Deploy)))?;
        if is_final(&row)? {
            return Err(StoreError::NotCancelable);
        }
        cancel(&tx, row.get("deployment_seq")?, reason, &reach.actor).await?;
        tx.commit().await
    }

    /// Cancels a build that has not ended, and with one of a repository the deploy that waits for it.
    ///
    /// # Errors
    /// `NotFound(Build)`; `NotCancelable` when it has ended, be it a moment ago.
    pub async fn cancel_build(&self, reach: &Reach, id: &str, reason: Option<&str>) -> Result<()> {
        let tx = self.db().write("cancel_build").await?;
        self.found(&tx, reach, Listed::Build, id).await?;
        let row = tx.one(OF_BUILD, values![id, true]).await?;
        let row = row.ok_or(StoreError::NotFound(Entity::Listed(Listed::Build)))?;
        if is_final(&row)? {
            return Err(StoreError::NotCancelable);
        }
        match row.get::<Option<i64>>("deployment")? {
            Some(deployment) => cancel(&tx, deployment, reason, &reach.actor).await?,
            None => build_jobs::cancel(&tx, row.get("seq")?, reason, &reach.actor).await?,
        }
        tx.commit().await
    }

    /// The id of the build that is to be deployed.
    async fn build_wished_for(&self, reach: &Reach, wish: &DeployWish) -> Result<String> {
        let app = match wish {
            DeployWish::Build(id) => {
                let found = self.find(reach, Listed::Build, id).await?;
                found.ok_or(StoreError::NotFound(Entity::Listed(Listed::Build)))?;
                return Ok(id.clone());
            }
            DeployWish::App(id) => id,
        };
        let tx = self.db().read().await?;
        self.found(&tx, reach, Listed::App, app).await?;
        let row = match tx.one(LATEST_OF_DEFAULT, values![app]).await? {
            Some(row) => Some(row),
            None => tx.one(LATEST, values![app, true]).await?,
        };
        row.ok_or(StoreError::NotDeployable("the app has no successful build of its default version"))?
            .get("id")
    }

    /// Whether the content of a build has a Worker. Its document never changes, so this may be asked before.
    async fn uses_functions(&self, build: &str) -> Result<bool> {
        let row = build_row(self.db(), build).await?;
        match row.get::<Option<Vec<u8>>>("hash")? {
            None => Ok(false),
            Some(hash) => Ok(self.load_site(&SiteHash::of_document(hash_of(hash)?)).await?.worker.is_some()),
        }
    }
}

async fn build_row(rows: &impl Rows, id: &str) -> Result<Row> {
    let row = rows.one(BUILD, values![id, true]).await?;
    row.ok_or(StoreError::NotFound(Entity::Listed(Listed::Build)))
}

/// The site of a build that may be deployed to production.
fn deployable(row: &Row) -> Result<i64> {
    if row.time_opt("app_deleted")?.is_some() {
        return Err(StoreError::NotDeployable("the app is deleted"));
    }
    if row.get::<bool>("untrusted")? {
        return Err(StoreError::NotDeployable("the build comes from a fork and is never production"));
    }
    if row.get::<String>("status")? != RunStatus::Completed.as_str() {
        return Err(StoreError::NotDeployable("the build has not completed"));
    }
    let site = row.get::<Option<i64>>("site_id")?;
    site.ok_or(StoreError::NotDeployable("the content of the build is not kept any more"))
}

async fn last_commit(tx: &Tx, build: i64) -> Result<Commit> {
    Ok(match tx.one(LAST_COMMIT, values![build]).await? {
        None => Commit::default(),
        Some(row) => Commit {
            hash: row.get("commit_hash")?,
            message: row.get("commit_message")?,
            dirty: row.get("commit_dirty")?,
        },
    })
}

fn is_final(row: &Row) -> Result<bool> {
    let status = row.get::<String>("status")?;
    Ok(RunStatus::parse(&status).is_none_or(RunStatus::is_final))
}
