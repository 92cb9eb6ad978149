//! Versions: snapshots of an app's files, which one may edit, fork and build.

use offprint_model::deploy::{BuildTrigger, VersionStep};
use offprint_model::listing::Entity as Listed;

use super::version_seq;
use crate::clock::Clock;
use crate::db::{Rows, Tx, values};
use crate::deployments::returned;
use crate::error::{Entity, Result, StoreError};
use crate::events::{NewEvent, note_event};
use crate::history::{BuildRow, add_build};
use crate::lists::{Listing, Reach};
use crate::open::Store;
use crate::projects::{ProjectScope, load_scoped};
use crate::public_id::new_id;

const ADD: &str = "INSERT INTO app_version (id, account_seq, project_seq, name, parent_seq, status, created_by, created, modified)
    VALUES ($1, $2, $3, $4, $5, 'ready', $6, $7, $7) RETURNING seq";
const FORK: &str = "INSERT INTO version_file (version_seq, path, blob_id, key, size)
    SELECT $2, path, blob_id, key, size FROM version_file WHERE version_seq = $1";
const RENAME: &str = "UPDATE app_version SET name = $2, modified = $3 WHERE seq = $1";
const DELETE: &str = "UPDATE app_version SET deleted = $2, modified = $2 WHERE seq = $1";
const TOUCH: &str = "UPDATE blob SET touched = $2 WHERE touched < $2
    AND id IN (SELECT blob_id FROM version_file WHERE version_seq = $1)";
const FORGET_FILES: &str = "DELETE FROM version_file WHERE version_seq = $1";
const UNDEFAULT: &str = "UPDATE project SET default_version = NULL WHERE default_version = $1";
const APP_THERE: &str = "SELECT seq FROM project WHERE seq = $1 AND deleted IS NULL";
const OF: &str = "SELECT seq, project_seq FROM app_version WHERE id = $1 AND deleted IS NULL";
const ADD_JOB: &str = "INSERT INTO build_job (build_seq) VALUES ($1)";
const BUILD_ID: &str = "SELECT id FROM build WHERE seq = $1";

impl Store {
    /// Makes a version: empty, or with the files of another of the same app.
    ///
    /// # Errors
    /// `NotFound(App)`; `NotFound(AppVersion)` for the parent.
    pub async fn create_version(
        &self,
        reach: &Reach,
        app: &str,
        name: &str,
        parent: Option<&str>,
    ) -> Result<Listing> {
        let tx = self.db().write("create_version").await?;
        let (scope, _) = self.app_scope(&tx, reach, app).await?;
        let parent = match parent {
            Some(parent) => Some(version_seq(&tx, scope.seq, parent).await?),
            None => None,
        };
        let now = Clock::now();
        let id = new_id(Listed::AppVersion, now);
        let values = values![&id, scope.account_seq, scope.seq, name, parent, scope.actor.key.clone(), now];
        let seq = returned(&tx.returning(ADD, values).await?)?;
        if let Some(parent) = parent {
            tx.run(FORK, values![parent, seq]).await?;
        }
        tell(&tx, &scope, "app_version.created", &id).await?;
        let made = self.found(&tx, reach, Listed::AppVersion, &id).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Gives a version another name.
    ///
    /// # Errors
    /// `NotFound(AppVersion)`.
    pub async fn rename_version(&self, reach: &Reach, id: &str, name: &str) -> Result<Listing> {
        let tx = self.db().write("rename_version").await?;
        let (scope, seq) = self.version_scope(&tx, reach, id).await?;
        tx.run(RENAME, values![seq, name, Clock::now()]).await?;
        tell(&tx, &scope, "app_version.updated", id).await?;
        let changed = self.found(&tx, reach, Listed::AppVersion, id).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Deletes a version with its files. Its builds stay, and can be deployed.
    ///
    /// # Errors
    /// `NotFound(AppVersion)`.
    pub async fn delete_version(&self, reach: &Reach, id: &str) -> Result<()> {
        let tx = self.db().write("delete_version").await?;
        let (scope, seq) = self.version_scope(&tx, reach, id).await?;
        let now = Clock::now();
        tx.run(TOUCH, values![seq, now]).await?;
        tx.run(FORGET_FILES, values![seq]).await?;
        tx.run(UNDEFAULT, values![seq]).await?;
        tx.run(DELETE, values![seq, now]).await?;
        tell(&tx, &scope, "app_version.deleted", id).await?;
        tx.commit().await
    }

    /// Makes a build of a version, which waits for a worker.
    ///
    /// # Errors
    /// `NotFound(AppVersion)`.
    pub async fn create_version_build(&self, reach: &Reach, version: &str) -> Result<Listing> {
        let tx = self.db().write("create_version_build").await?;
        let (scope, seq) = self.version_scope(&tx, reach, version).await?;
        if tx.one(APP_THERE, values![scope.seq]).await?.is_none() {
            return Err(StoreError::NotDeployable("the app is deleted"));
        }
        let metadata = serde_json::json!({ "appVersionId": version });
        let build = BuildRow {
            project_seq: scope.seq,
            site_id: None,
            version_seq: Some(seq),
            prompt: BuildTrigger::Manual,
            source_event: None,
            metadata: Some(metadata.to_string()),
            steps: &VersionStep::WORDS,
            actor: &scope.actor,
        };
        let build = add_build(&tx, build, Clock::now()).await?;
        tx.run(ADD_JOB, values![build]).await?;
        let row = tx.one(BUILD_ID, values![build]).await?;
        let id: String =
            row.ok_or_else(|| StoreError::Corrupt("a new build has no row".into()))?.get("id")?;
        let made = self.found(&tx, reach, Listed::Build, &id).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// The project of a version that the caller may see, and the version's number.
    pub(crate) async fn version_scope(
        &self,
        tx: &Tx,
        reach: &Reach,
        id: &str,
    ) -> Result<(ProjectScope, i64)> {
        self.found(tx, reach, Listed::AppVersion, id).await?;
        let row = tx.one(OF, values![id]).await?;
        let row = row.ok_or(StoreError::NotFound(Entity::Listed(Listed::AppVersion)))?;
        let (mut scope, _) = load_scoped(tx, self.keys(), row.get("project_seq")?).await?;
        scope.actor = reach.actor.clone();
        Ok((scope, row.get("seq")?))
    }
}

/// Writes down that something happened to a version.
pub(super) async fn tell(tx: &Tx, scope: &ProjectScope, kind: &str, version: &str) -> Result<()> {
    let event = NewEvent {
        account_seq: scope.account_seq,
        app: Some(&scope.app),
        kind,
        subject: version,
        parent: Some(&scope.app),
        data: serde_json::Map::new(),
    };
    note_event(tx, &scope.actor, event, Clock::now()).await.map(drop)
}
