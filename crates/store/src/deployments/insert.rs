//! The rows of a new deployment, whether it was uploaded, is to be built, or is made again.

use offprint_model::config::Environment;
use offprint_model::deploy::{DeployTrigger, RunStatus};
use offprint_model::deployment::{Commit, SkipReason, Trigger};
use offprint_model::id::DeploymentId;
use offprint_model::name::{AliasLabel, BranchName};
use offprint_model::project::Project;
use offprint_model::stages::Stages;
use offprint_model::time::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::Clock;
use crate::db::{Row, Rows, Tx, values};
use crate::error::{Result, StoreError};
use crate::events::Actor;
use crate::feedback::note_feedback;
use crate::history::{DeployRow, add_deploy, end_build};
use crate::jobs::JobKind;
use crate::open::Store;
use crate::projects::settings_owner;
use crate::site::ShortId;
use crate::stored::{build_config_to_json, environment_to_json, source_to_json, stages_to_json};

/// The settings that a deployment keeps, as JSON columns.
pub(crate) struct Snapshot {
    pub(crate) production_branch: String,
    pub(crate) build_config: String,
    pub(crate) config: String,
    pub(crate) source: Option<String>,
}

impl Snapshot {
    pub(crate) fn of(store: &Store, project: &Project, environment: Environment) -> Result<Self> {
        let owner = settings_owner(&project.id, environment);
        let config = project.config(environment);
        Ok(Self {
            production_branch: project.production_branch.as_str().to_owned(),
            build_config: build_config_to_json(&project.build_config)?,
            config: environment_to_json(config, store.keys(), &owner)?,
            source: project.source.as_ref().map(source_to_json).transpose()?,
        })
    }
}

const ADD_DEPLOYMENT: &str = "INSERT INTO deployment
        (id, short, project_seq, build_seq, site_id, environment, branch, label, production_branch,
        commit_hash, commit_message, commit_dirty, cause, created, modified, stages,
        build_config, config, source, uses_functions, skipped, ended, built, untrusted, pull_request)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15, $16, $17, $18, $19,
        $20, $21, $22, $23, $24)
    RETURNING seq";
const ADD_JOB: &str =
    "INSERT INTO job (deployment_seq, deploy_seq, kind, state) VALUES ($1, $2, $3, 'ready')";
const NEWEST: &str = "SELECT created FROM deployment WHERE project_seq = $1 ORDER BY seq DESC LIMIT 1";
const SHORT_TAKEN: &str = "SELECT seq FROM deployment WHERE project_seq = $1 AND short = $2";
const LABEL_OF_BRANCH: &str =
    "SELECT label FROM deployment WHERE project_seq = $1 AND branch = $2 AND untrusted = 0
    ORDER BY seq DESC LIMIT 1";

/// The rows of a new deployment.
pub(crate) struct Insert {
    pub(crate) project_seq: i64,
    pub(crate) build_seq: i64,
    /// Absent until a build attaches one.
    pub(crate) site_id: Option<i64>,
    pub(crate) environment: &'static str,
    pub(crate) label: String,
    pub(crate) branch: String,
    pub(crate) commit: Commit,
    pub(crate) cause: String,
    pub(crate) snapshot: Snapshot,
    pub(crate) uses_functions: bool,
    /// Which workers take it to its end.
    pub(crate) kind: JobKind,
    /// Why nobody does.
    pub(crate) skipped: Option<SkipReason>,
    pub(crate) untrusted: bool,
    pub(crate) pull_request: Option<i64>,
    /// Who asked for it.
    pub(crate) actor: Actor,
}

impl Insert {
    /// Writes the deployment, its deploy and its job, and returns the deployment's number. One that is skipped
    /// has neither a deploy nor a job.
    pub(crate) async fn run(self, tx: &Tx, wish: Wish) -> Result<i64> {
        let (id, short) = free_id(tx, self.project_seq).await?;
        let now = later_than_newest(tx, self.project_seq).await?;
        let built = self.kind == JobKind::Build;
        let (stages, ended) = match self.skipped {
            Some(_) => (Stages::skipped(now), Some(now)),
            None => (Stages::queued(now), None),
        };
        let metadata = self.metadata(&id);
        let prompt = match wish {
            Wish::Rollback => DeployTrigger::Rollback,
            Wish::Create if self.cause != Trigger::AdHoc.as_str() => DeployTrigger::Auto,
            Wish::Create | Wish::Retry => DeployTrigger::Manual,
        };
        let values = values![
            id.as_str(),
            i64::from(short.0),
            self.project_seq,
            self.build_seq,
            self.site_id,
            self.environment,
            self.branch,
            self.label,
            self.snapshot.production_branch,
            self.commit.hash,
            self.commit.message,
            self.commit.dirty,
            self.cause,
            now,
            stages_to_json(&stages)?,
            self.snapshot.build_config,
            self.snapshot.config,
            self.snapshot.source,
            self.uses_functions,
            self.skipped.map(SkipReason::as_str),
            ended,
            built,
            self.untrusted,
            self.pull_request,
        ];
        let seq = returned(&tx.returning(ADD_DEPLOYMENT, values).await?)?;
        if let Some(reason) = self.skipped {
            let why = format!("Skipped: {}.", reason.as_str());
            end_build(tx, self.build_seq, RunStatus::Cancelled, Some(&why), &self.actor, now).await?;
        } else {
            let new = DeployRow {
                project_seq: self.project_seq,
                deployment_seq: seq,
                cause: wish.as_str(),
                prompt,
                metadata: Some(metadata.to_string()),
                follows_target: true,
                actor: &self.actor,
            };
            let deploy = add_deploy(tx, new, now).await?;
            tx.run(ADD_JOB, values![seq, deploy, self.kind.as_str()]).await?;
        }
        if built {
            note_feedback(tx, seq, now).await?;
        }
        Ok(seq)
    }

    /// What the deploy's row says of the deployment.
    fn metadata(&self, id: &DeploymentId) -> Value {
        deploy_metadata(self.environment, &self.branch, id.as_str(), &self.commit.hash)
    }
}

/// Why a deployment is made, as the Pages API tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Create,
    Retry,
    Rollback,
}

impl Wish {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Retry => "retry",
            Self::Rollback => "rollback",
        }
    }
}

/// What the row of a deploy says of its deployment.
pub(super) fn deploy_metadata(environment: &str, branch: &str, deployment: &str, commit: &str) -> Value {
    let mut metadata = json!({ "environment": environment, "branch": branch, "deploymentId": deployment });
    if !commit.is_empty() {
        metadata["commit"] = json!(commit);
    }
    metadata
}

/// An id whose first eight digits no other deployment of the project has had: they name a host.
async fn free_id(tx: &Tx, project: i64) -> Result<(DeploymentId, ShortId)> {
    loop {
        let id = DeploymentId::new(Uuid::new_v4().to_string());
        let short = ShortId::parse(id.short());
        let short = short.ok_or_else(|| StoreError::Corrupt("a new id does not begin with digits".into()))?;
        if tx.one(SHORT_TAKEN, values![project, i64::from(short.0)]).await?.is_none() {
            return Ok((id, short));
        }
    }
}

/// The time now, or just after the newest deployment when the clock was set back: clients sort by it.
async fn later_than_newest(tx: &Tx, project: i64) -> Result<Timestamp> {
    let newest = tx.one(NEWEST, values![project]).await?.map(|row| row.time("created")).transpose()?;
    let after = newest.map_or(0, |newest| newest.as_micros().saturating_add(1));
    Ok(Clock::now().max(Timestamp::from_micros(after)))
}

/// The host label of the branch. One without letters and digits gets a random one, and keeps it.
pub(crate) async fn label(tx: &Tx, project: i64, branch: &BranchName) -> Result<String> {
    if let Some(label) = branch.alias() {
        return Ok(label.as_str().to_owned());
    }
    match tx.one(LABEL_OF_BRANCH, values![project, branch.as_str()]).await? {
        Some(row) => row.get("label"),
        None => Ok(AliasLabel::nameless(&Uuid::new_v4().simple().to_string()[..10]).as_str().to_owned()),
    }
}

/// The number that an insert returned.
pub(crate) fn returned(rows: &[Row]) -> Result<i64> {
    rows.first().ok_or_else(|| StoreError::Corrupt("an insert returned no row".into()))?.get("seq")
}
