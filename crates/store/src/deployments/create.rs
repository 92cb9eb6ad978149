//! Making a deployment from uploaded assets.

use bytes::Bytes;
use offprint_model::asset::{AssetKey, AssetPath};
use offprint_model::config::Environment;
use offprint_model::deploy::BuildTrigger;
use offprint_model::deployment::{Commit, Deployment, Trigger};
use offprint_model::name::BranchName;

use super::content::{NewContent, UploadedConfiguration, apply, ensure_site};
use super::insert::{Insert, Snapshot, Wish, label};
use super::row::by_seq;
use crate::clock::Clock;
use crate::error::Result;
use crate::history::{BuildRow, add_build};
use crate::jobs::JobKind;
use crate::open::{Store, to_the_end};
use crate::projects::{ProjectScope, load_by_seq, write_settings};
use crate::site::WorkerKind;

/// A deployment to be made from uploaded assets.
#[derive(Clone)]
pub struct NewDeployment {
    /// Production or preview.
    pub environment: Environment,
    /// The branch it comes from.
    pub branch: BranchName,
    /// The commit it comes from.
    pub commit: Commit,
    /// What caused it.
    pub trigger: Trigger,
    /// The manifest: which key is to be served at which path.
    pub assets: Vec<(AssetPath, AssetKey)>,
    /// The text of `_headers`.
    pub headers: Option<String>,
    /// The text of `_redirects`.
    pub redirects: Option<String>,
    /// The text of `_routes.json`.
    pub routes: Option<String>,
    /// The Worker.
    pub worker: Option<(WorkerKind, Bytes)>,
    /// `functions-filepath-routing-config.json`.
    pub functions_routing: Option<Bytes>,
    /// The settings of the Wrangler configuration that came along.
    pub configuration: Option<UploadedConfiguration>,
}

impl NewDeployment {
    fn content(&mut self) -> NewContent {
        NewContent {
            assets: std::mem::take(&mut self.assets),
            headers: self.headers.take(),
            redirects: self.redirects.take(),
            routes: self.routes.take(),
            worker: self.worker.take(),
            functions_routing: self.functions_routing.take(),
            configuration: self.configuration.take(),
        }
    }
}

impl Store {
    /// Makes a deployment, queued, with a job for the pipeline. All of it is made, or nothing.
    ///
    /// # Errors
    /// `MissingAssets` and `KeyMismatch` name the first paths. Keys that do not match are forgotten, so that
    /// the client finds them missing and uploads them again. `DuplicatePath`, `NotFound(Project)`.
    pub async fn create_deployment(&self, scope: &ProjectScope, new: NewDeployment) -> Result<Deployment> {
        let (store, scope) = (self.clone(), scope.clone());
        to_the_end(async move { store.create_deployment_now(&scope, new).await }).await
    }

    async fn create_deployment_now(
        &self,
        scope: &ProjectScope,
        mut new: NewDeployment,
    ) -> Result<Deployment> {
        let content = new.content();
        let _guard = self.collection_lock().upload().await?;
        let prepared = self.prepare(scope, &content).await?;
        let tx = self.db().write("create_deployment").await?;
        let mut project = load_by_seq(&tx, self.keys(), scope.seq).await?;
        if let Some(configuration) = content.configuration {
            apply(&mut project, new.environment, configuration);
            write_settings(&tx, self.keys(), scope.seq, &project).await?;
        }
        let site = ensure_site(&tx, scope, &prepared).await?;
        let build = BuildRow {
            project_seq: scope.seq,
            site_id: Some(site),
            version_seq: None,
            prompt: BuildTrigger::Manual,
            source_event: None,
            metadata: None,
            steps: &["upload"],
            actor: &scope.actor,
        };
        let build_seq = add_build(&tx, build, Clock::now()).await?;
        let snapshot = Snapshot::of(self, &project, new.environment)?;
        let insert = Insert {
            project_seq: scope.seq,
            build_seq,
            site_id: Some(site),
            environment: new.environment.as_str(),
            label: label(&tx, scope.seq, &new.branch).await?,
            branch: new.branch.as_str().to_owned(),
            commit: new.commit,
            cause: new.trigger.as_str().to_owned(),
            snapshot,
            uses_functions: prepared.document.worker.is_some(),
            kind: JobKind::Upload,
            skipped: None,
            untrusted: false,
            pull_request: None,
            actor: scope.actor.clone(),
        };
        let seq = insert.run(&tx, Wish::Create).await?;
        let deployment = by_seq(&tx, self.keys(), seq).await?;
        tx.commit().await?;
        Ok(deployment)
    }
}
