//! Making deployments that are built from the project's repository, and the build cache's number.
//!
//! **Superseding.** Of the builds of a branch that wait, only the newest is worth its time: a new one skips those that
//! no worker has claimed yet, in its own transaction. One that was claimed before is left to its worker; the order
//! of wishes (see the module on deployments) keeps it from replacing the newer one.

use std::collections::HashMap;

use offprint_model::config::{EnvVar, Environment};
use offprint_model::deploy::BuildTrigger;
use offprint_model::deployment::{Commit, Deployment, LogLine, SkipReason, Trigger};
use offprint_model::id::ProjectId;
use offprint_model::name::BranchName;
use offprint_model::project::Project;
use offprint_model::stages::Stages;
use offprint_model::time::Timestamp;

use crate::clock::Clock;
use crate::db::{Rows, Tx, values};
use crate::deployments::{Insert, Snapshot, Unfinished, Wish, by_seq, end_unfinished, label};
use crate::error::{Result, StoreError};
use crate::events::{Actor, NewEvent, note_event};
use crate::history::{BuildRow, add_build};
use crate::jobs::JobKind;
use crate::open::Store;
use crate::projects::{ProjectScope, load_by_seq};
use crate::source::{Approval, Delivery, approval, note_new_delivery};
use crate::stored::stages_from_json;

/// A deployment to be built from the project's repository.
#[derive(Clone)]
pub struct NewBuild {
    /// Production or preview. What comes from a fork is a preview, whatever is said here.
    pub environment: Environment,
    /// The branch.
    pub branch: BranchName,
    /// The commit, empty as far as unknown: then the build takes the head of the branch.
    pub commit: Commit,
    /// What caused it.
    pub trigger: Trigger,
    /// Why it is not built; it is then recorded, and has ended.
    pub skip: Option<SkipReason>,
    /// Whether it comes from a fork: no secrets then, and no change of settings.
    pub untrusted: bool,
    /// The pull request for which it is built.
    pub pull_request: Option<u64>,
}

/// Builds of the branch that wait for their first worker, and that are as trusted as the new one.
const WAITING: &str = "SELECT d.seq, d.stages FROM job j JOIN deployment d ON d.seq = j.deployment_seq
    WHERE j.kind = 'build' AND j.state = 'ready' AND j.attempt = 0
        AND d.project_seq = $1 AND d.branch = $2 AND d.label = $3 AND d.untrusted = $4";
const PURGE: &str = "UPDATE project SET cache_epoch = cache_epoch + 1 WHERE seq = $1";
const EPOCHS: &str = "SELECT id, cache_epoch FROM project";

impl Store {
    /// Makes a deployment that is to be built, queued, with a job; or one that was skipped, ended, without. Builds of
    /// the same branch that no worker has claimed yet are skipped. All of it happens, or nothing.
    ///
    /// # Errors
    /// `NotFound(Project)`, `NoSource`; `Replayed` when the delivery was heard before; `NotApproved` when a
    /// commit of a fork is to be built that nobody has approved.
    pub async fn create_build(
        &self,
        scope: &ProjectScope,
        new: NewBuild,
        delivery: Option<Delivery>,
    ) -> Result<Deployment> {
        let tx = self.db().write("create_build").await?;
        let project = load_by_seq(&tx, self.keys(), scope.seq).await?;
        if project.source.is_none() {
            return Err(StoreError::NoSource);
        }
        if let Some(delivery) = &delivery {
            note_new_delivery(&tx, scope.seq, delivery).await?;
        }
        let seq = self.insert_build(&tx, scope, project, new).await?;
        let deployment = by_seq(&tx, self.keys(), seq).await?;
        tx.commit().await?;
        Ok(deployment)
    }

    /// Writes the rows of a build, and skips those that it supersedes.
    async fn insert_build(
        &self,
        tx: &Tx,
        scope: &ProjectScope,
        project: Project,
        new: NewBuild,
    ) -> Result<i64> {
        let project_seq = scope.seq;
        let untrusted = judge(tx, project_seq, &new).await?;
        let label = match new.pull_request {
            // The branches of a fork share no host with ours, though they share their names.
            Some(number) if untrusted => format!("pull-{number}"),
            _ => label(tx, project_seq, &new.branch).await?,
        };
        if new.skip.is_none() {
            supersede(tx, project_seq, new.branch.as_str(), &label, untrusted).await?;
        }
        let (prompt, source_event) = match new.trigger {
            Trigger::AdHoc => (BuildTrigger::Manual, None),
            _ => (BuildTrigger::Auto, Some(note_push(tx, scope, &new).await?)),
        };
        let build = BuildRow::of_repository(project_seq, prompt, source_event, &scope.actor);
        let build_seq = add_build(tx, build, Clock::now()).await?;
        let environment = if untrusted { Environment::Preview } else { new.environment };
        let insert = Insert {
            project_seq,
            build_seq,
            site_id: None,
            environment: environment.as_str(),
            label,
            branch: new.branch.as_str().to_owned(),
            commit: new.commit,
            cause: new.trigger.as_str().to_owned(),
            snapshot: Snapshot::of(self, &visible(project, environment, untrusted), environment)?,
            uses_functions: false,
            kind: JobKind::Build,
            skipped: new.skip,
            untrusted,
            pull_request: new.pull_request.and_then(|number| i64::try_from(number).ok()),
            actor: scope.actor.clone(),
        };
        insert.run(tx, Wish::Create).await
    }

    /// Asks that no later build of the project sees what earlier ones have cached.
    pub async fn purge_build_cache(&self, scope: &ProjectScope) -> Result<()> {
        let tx = self.db().write("purge_build_cache").await?;
        tx.run(PURGE, values![scope.seq]).await?;
        scope.tell(&tx, "build_cache.purged").await?;
        tx.commit().await
    }

    /// The number of each project's build cache. A cache that has another number, or whose project is not listed,
    /// may be removed.
    pub async fn build_cache_epochs(&self) -> Result<HashMap<ProjectId, u64>> {
        let mut epochs = HashMap::new();
        for row in self.db().all(EPOCHS, values![]).await? {
            let epoch = u64::try_from(row.get::<i64>("cache_epoch")?).unwrap_or_default();
            epochs.insert(ProjectId::new(row.get::<String>("id")?), epoch);
        }
        Ok(epochs)
    }
}

/// Writes down what asks for a build and is no call of an API, and returns its id.
async fn note_push(tx: &Tx, scope: &ProjectScope, new: &NewBuild) -> Result<String> {
    let kind = if new.trigger == Trigger::DeployHook { "deploy_hook.called" } else { "source.pushed" };
    let event = NewEvent::of_app(scope.account_seq, &scope.app, kind)
        .with("trigger", new.trigger.as_str())
        .with("branch", new.branch.as_str())
        .with("commit", new.commit.hash.as_str());
    note_event(tx, &scope.actor, event, Clock::now()).await
}

/// Whether what is to be built is a stranger's. What the forge said of the pull request counts more than what the
/// caller believes.
async fn judge(tx: &Tx, project_seq: i64, new: &NewBuild) -> Result<bool> {
    let approval = match new.pull_request {
        Some(number) => approval(tx, project_seq, number, &new.commit.hash).await?,
        None if new.untrusted => Approval::Missing,
        None => Approval::NotNeeded,
    };
    match approval {
        Approval::Missing if new.skip.is_none() => Err(StoreError::NotApproved),
        Approval::Missing | Approval::Given => Ok(true),
        Approval::NotNeeded => Ok(new.untrusted),
    }
}

/// The project as its build may see it.
fn visible(mut project: Project, environment: Environment, untrusted: bool) -> Project {
    let config = match environment {
        Environment::Production => &mut project.production,
        Environment::Preview => &mut project.preview,
    };
    if untrusted {
        config.env_vars.retain(|_, var| !matches!(var, EnvVar::Secret(_)));
    }
    project
}

/// Skips the builds of a branch that still wait for their first worker.
async fn supersede(tx: &Tx, project_seq: i64, branch: &str, label: &str, untrusted: bool) -> Result<()> {
    let now = Clock::now();
    for row in tx.all(WAITING, values![project_seq, branch, label, untrusted]).await? {
        let stages = stages_from_json(&row.get::<String>("stages")?)?;
        let stages = skipped(stages, now)?;
        let line = LogLine { at: now, text: "Skipped: a newer push of this branch arrived.".into() };
        let end = Unfinished { stages, skipped: Some(SkipReason::SupersededQueuedBuild), line };
        end_unfinished(tx, row.get("seq")?, end, &Actor::default()).await?;
    }
    Ok(())
}

/// The stages of a deployment that is skipped now.
pub(crate) fn skipped(stages: Stages, now: Timestamp) -> Result<Stages> {
    stages.skip(now).map_err(|_| StoreError::IllegalStages("the deployment has ended"))
}
