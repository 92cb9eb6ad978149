//! Building versions: their files become the content of a site, by the rules of an upload.
//!
//! There is nothing to wait for, so a build takes two transactions: one says that somebody works on it, the other that it
//! has ended. A worker that dies between the two leaves a lease that runs out.

use std::time::Duration;

use bytes::Bytes;
use offprint_model::asset::{AssetKey, AssetPath};
use offprint_model::deploy::{RunStatus, StepStatus};

use crate::assets::hash_of;
use crate::clock::Clock;
use crate::db::{Rows, Tx, values};
use crate::deployments::{NewContent, ensure_site};
use crate::error::{Result, StoreError};
use crate::events::Actor;
use crate::history::{StepEnd, end_build, end_build_step, start_build, start_build_step};
use crate::jobs::after;
use crate::open::{Store, to_the_end};
use crate::projects::load_scoped;
use crate::site::WorkerKind;

/// Receipt: the holder builds this version. Made by [`Store::claim_version_build`] only.
#[derive(Clone, Debug)]
pub struct BuildLease {
    build: i64,
    attempt: i64,
}

const NEXT: &str =
    "SELECT build_seq FROM build_job WHERE lease_until <= $1 ORDER BY lease_until, build_seq LIMIT 1";
const LEASE: &str =
    "UPDATE build_job SET attempt = attempt + 1, lease_until = $2 WHERE build_seq = $1 RETURNING attempt";
const HOLDS: &str = "SELECT build_seq FROM build_job WHERE build_seq = $1 AND attempt = $2";
const DONE: &str = "DELETE FROM build_job WHERE build_seq = $1 AND attempt = $2";
const OF_BUILD: &str = "SELECT project_seq, version_seq FROM build WHERE seq = $1";
const FILES: &str = "SELECT f.path, f.key, b.hash FROM version_file f JOIN blob b ON b.id = f.blob_id
    WHERE f.version_seq = $1 ORDER BY f.path";
const SET_SITE: &str = "UPDATE build SET site_id = $2 WHERE seq = $1";

/// What the files of a version make, or why they make nothing.
type Collected = Result<NewContent, String>;

impl Store {
    /// Leases the next build of a version. `None`: there is none now.
    pub async fn claim_version_build(&self, ttl: Duration) -> Result<Option<BuildLease>> {
        // Looking first keeps idle workers out of the writers' queue.
        if self.db().one(NEXT, values![Clock::now()]).await?.is_none() {
            return Ok(None);
        }
        let tx = self.db().write("claim_version_build").await?;
        let now = Clock::now();
        let Some(row) = tx.one(NEXT, values![now]).await? else { return Ok(None) };
        let build: i64 = row.get("build_seq")?;
        let leased = tx.returning(LEASE, values![build, after(now, ttl)]).await?;
        let attempt = leased.first().ok_or(StoreError::LeaseLost)?.get("attempt")?;
        start_build(&tx, build, now).await?;
        start_build_step(&tx, build, "collect", now).await?;
        tx.commit().await?;
        Ok(Some(BuildLease { build, attempt }))
    }

    /// Takes the build of a version to its end.
    ///
    /// # Errors
    /// `LeaseLost` when it was cancelled; a fault of ours, after which it is claimed again.
    pub async fn build_version(&self, lease: &BuildLease) -> Result<()> {
        let (store, lease) = (self.clone(), lease.clone());
        to_the_end(async move { store.build_version_now(&lease).await }).await
    }

    async fn build_version_now(&self, lease: &BuildLease) -> Result<()> {
        let row = self.db().one(OF_BUILD, values![lease.build]).await?.ok_or(StoreError::LeaseLost)?;
        let (scope, project) = load_scoped(self.db(), self.keys(), row.get("project_seq")?).await?;
        let version: i64 = row.get::<Option<i64>>("version_seq")?.ok_or(StoreError::LeaseLost)?;
        let config = &project.build_config;
        let collected = match config.build_command.as_deref() {
            Some(command) if !command.trim().is_empty() => Err(
                "The app has a build command. Versions are published as their files are: remove the command, or build the \
                 app from its repository."
                    .to_owned(),
            ),
            _ => self.collect_files(version, config.destination_dir.as_deref()).await?,
        };
        let content = match collected {
            Ok(content) => content,
            Err(why) => return self.fail_version_build(lease, &why).await,
        };
        let _guard = self.collection_lock().upload().await?;
        let prepared = match self.prepare(&scope, &content).await {
            Ok(prepared) => prepared,
            Err(StoreError::MissingAssets { .. } | StoreError::KeyMismatch { .. }) => {
                return self
                    .fail_version_build(lease, "Files of the version are lost; write them again.")
                    .await;
            }
            Err(error) => return Err(error),
        };
        let tx = self.db().write("build_version").await?;
        holds(&tx, lease).await?;
        let now = Clock::now();
        let log = Some(format!("Collected {} assets.", content.assets.len()));
        let done = StepEnd { log, ..StepEnd::new(StepStatus::Completed) };
        end_build_step(&tx, lease.build, "collect", done, now).await?;
        start_build_step(&tx, lease.build, "store", now).await?;
        let site = ensure_site(&tx, &scope, &prepared).await?;
        tx.run(SET_SITE, values![lease.build, site]).await?;
        end_build(&tx, lease.build, RunStatus::Completed, None, &Actor::default(), Clock::now()).await?;
        tx.run(DONE, values![lease.build, lease.attempt]).await?;
        tx.commit().await
    }

    async fn fail_version_build(&self, lease: &BuildLease, why: &str) -> Result<()> {
        let tx = self.db().write("fail_version_build").await?;
        holds(&tx, lease).await?;
        end_build(&tx, lease.build, RunStatus::Failed, Some(why), &Actor::default(), Clock::now()).await?;
        tx.run(DONE, values![lease.build, lease.attempt]).await?;
        tx.commit().await
    }

    /// The files below a directory as the content of a site. Those that configure Pages are no assets.
    async fn collect_files(&self, version: i64, directory: Option<&str>) -> Result<Collected> {
        let prefix = match directory.map(|name| name.trim_matches('/')).filter(|name| !name.is_empty()) {
            Some(name) => format!("/{name}/"),
            None => "/".to_owned(),
        };
        let mut content = NewContent::default();
        for row in self.db().all(FILES, values![version]).await? {
            let path: String = row.get("path")?;
            let Some(rest) = path.strip_prefix(&prefix) else { continue };
            let bytes = async || self.blobs().read(&hash_of(row.get("hash")?)?).await;
            match rest {
                "_headers" => content.headers = Some(text(bytes().await?)),
                "_redirects" => content.redirects = Some(text(bytes().await?)),
                "_routes.json" => content.routes = Some(text(bytes().await?)),
                "_worker.js" => content.worker = Some((WorkerKind::Script, bytes().await?)),
                rest => {
                    let invalid = |error: &dyn std::fmt::Display| StoreError::Corrupt(error.to_string());
                    let path = AssetPath::parse(rest).map_err(|error| invalid(&error))?;
                    let key = AssetKey::parse(&row.get::<String>("key")?).map_err(|error| invalid(&error))?;
                    content.assets.push((path, key));
                }
            }
        }
        if content.assets.is_empty() && content.worker.is_none() {
            return Ok(Err(format!("The version has no files below {prefix}.")));
        }
        Ok(Ok(content))
    }
}

fn text(bytes: Bytes) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn holds(tx: &Tx, lease: &BuildLease) -> Result<()> {
    let held = tx.one(HOLDS, values![lease.build, lease.attempt]).await?;
    held.map(drop).ok_or(StoreError::LeaseLost)
}
