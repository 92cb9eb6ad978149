//! What the worker of a version's build reads and writes. How the files become content is not known here.

use bytes::Bytes;
use offprint_model::asset::{AssetKey, AssetPath, BlobHash};
use offprint_model::config::Environment;
use offprint_model::deploy::{RunStatus, VersionStep};
use offprint_model::project::Project;

use super::build_jobs::{VersionLease, finish, holds};
use crate::assets::hash_of;
use crate::clock::Clock;
use crate::db::{Row, Rows, values};
use crate::deployments::{NewContent, apply, ensure_site};
use crate::error::{Entity, Result, StoreError};
use crate::events::Actor;
use crate::history::{end_build, enter_build_step};
use crate::open::{Store, to_the_end};
use crate::projects::{ProjectScope, json, load_by_seq, load_scoped, stored_name, write_settings};
use crate::sql;

/// A version that is to be built.
pub struct VersionWork {
    /// The receipt for its app, to store assets with.
    pub scope: ProjectScope,
    /// The app as it is now: how it is built, and what with.
    pub project: Project,
    /// The version's name, for people.
    pub name: String,
    /// Its files, by path.
    pub files: Vec<SourceFile>,
    /// The number of the build cache: what was cached under another must not be used.
    pub cache_epoch: u64,
}

/// A file of a version, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it is.
    pub path: AssetPath,
    /// The key of the asset that it would be.
    pub key: AssetKey,
    /// The blob that it is.
    pub blob: BlobHash,
    /// Its length in bytes.
    pub size: u64,
}

const OF_BUILD: &str = "SELECT b.project_seq, b.version_seq, v.name, p.cache_epoch
    FROM build b JOIN project p ON p.seq = b.project_seq JOIN app_version v ON v.seq = b.version_seq WHERE b.seq = $1";
const FILES: &str = "SELECT f.path, f.key, f.size, b.hash FROM version_file f JOIN blob b ON b.id = f.blob_id
    WHERE f.version_seq = $1 ORDER BY f.path";
const SET_SITE: &str = "UPDATE build SET site_id = $2 WHERE seq = $1";

impl Store {
    /// What there is to build: the app and the version's files as they are now.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn version_work(&self, lease: &VersionLease) -> Result<VersionWork> {
        let tx = self.db().read().await?;
        holds(&tx, lease).await?;
        let row = tx.one(OF_BUILD, values![lease.build]).await?.ok_or(StoreError::LeaseLost)?;
        let (scope, project) = load_scoped(&tx, self.keys(), row.get("project_seq")?).await?;
        let version: i64 = row.get("version_seq")?;
        let files = tx.all(FILES, values![version]).await?;
        Ok(VersionWork {
            scope,
            project,
            name: row.get("name")?,
            files: files.iter().map(source_file).collect::<Result<_>>()?,
            cache_epoch: u64::try_from(row.get::<i64>("cache_epoch")?).unwrap_or_default(),
        })
    }

    /// The bytes of a file of a version. `None`: they are lost.
    pub async fn source_file(&self, file: &SourceFile) -> Result<Option<Bytes>> {
        match self.blobs().read(&file.blob).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::NotFound(Entity::Blob)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Work at a step begins; the steps before it have ended well, or are left out.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn enter_version_step(&self, lease: &VersionLease, step: VersionStep) -> Result<()> {
        let tx = self.db().write("enter_version_step").await?;
        holds(&tx, lease).await?;
        enter_build_step(&tx, lease.build, step.as_str(), Clock::now()).await?;
        tx.commit().await
    }

    /// Adds lines to the log of a step.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn append_version_log(
        &self,
        lease: &VersionLease,
        step: VersionStep,
        lines: &[&str],
    ) -> Result<()> {
        let tx = self.db().write("append_version_log").await?;
        holds(&tx, lease).await?;
        let values = values![lease.build, step.as_str(), json(&lines)?];
        tx.run(sql::APPEND_BUILD_LOG.of(tx.engine()), values).await?;
        tx.commit().await
    }

    /// Gives the build of a version its content, whose assets are stored already, and ends it well. Steps that nobody has
    /// taken are left out. All of it happens, or nothing.
    ///
    /// Settings that came with the content become those of the app's production: a deploy of the build finds them there.
    ///
    /// # Errors
    /// `LeaseLost`; for the content as [`Store::create_deployment`].
    pub async fn complete_version(&self, lease: &VersionLease, content: NewContent) -> Result<()> {
        let (store, lease) = (self.clone(), lease.clone());
        to_the_end(async move { store.complete_version_now(&lease, content).await }).await
    }

    async fn complete_version_now(&self, lease: &VersionLease, mut content: NewContent) -> Result<()> {
        let row = self.db().one(OF_BUILD, values![lease.build]).await?.ok_or(StoreError::LeaseLost)?;
        let project_seq: i64 = row.get("project_seq")?;
        let (scope, _) = load_scoped(self.db(), self.keys(), project_seq).await?;
        let configuration = content.configuration.take();
        let _guard = self.collection_lock().upload().await?;
        let prepared = self.prepare(&scope, &content).await?;
        let tx = self.db().write("complete_version").await?;
        holds(&tx, lease).await?;
        if let Some(configuration) = configuration {
            let mut project = load_by_seq(&tx, self.keys(), project_seq).await?;
            apply(&mut project, Environment::Production, configuration);
            write_settings(&tx, self.keys(), project_seq, &project).await?;
        }
        enter_build_step(&tx, lease.build, VersionStep::Store.as_str(), Clock::now()).await?;
        let site = ensure_site(&tx, &scope, &prepared).await?;
        tx.run(SET_SITE, values![lease.build, site]).await?;
        end_build(&tx, lease.build, RunStatus::Completed, None, &Actor::default(), Clock::now()).await?;
        finish(&tx, lease).await?;
        tx.commit().await
    }

    /// Ends the build of a version without success, and says why.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn fail_version(&self, lease: &VersionLease, why: &str) -> Result<()> {
        let tx = self.db().write("fail_version").await?;
        holds(&tx, lease).await?;
        end_build(&tx, lease.build, RunStatus::Failed, Some(why), &Actor::default(), Clock::now()).await?;
        finish(&tx, lease).await?;
        tx.commit().await
    }
}

fn source_file(row: &Row) -> Result<SourceFile> {
    Ok(SourceFile {
        path: AssetPath::parse(&row.get::<String>("path")?).map_err(stored_name)?,
        key: AssetKey::parse(&row.get::<String>("key")?).map_err(stored_name)?,
        blob: hash_of(row.get("hash")?)?,
        size: u64::try_from(row.get::<i64>("size")?).unwrap_or_default(),
    })
}
