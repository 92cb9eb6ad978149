//! Builds: adding one, and its way to its end.

use offprint_model::deploy::{BuildTrigger, RunStatus, StepStatus};
use offprint_model::listing::Entity;
use offprint_model::stages::{StageName, StageStatus, Stages};
use offprint_model::time::Timestamp;

use super::steps::{StepEnd, add_build_steps, close_build_steps, end_build_step, start_build_step};
use crate::db::{Rows, Tx, values};
use crate::deployments::returned;
use crate::error::{Result, StoreError};
use crate::events::{Actor, NewEvent, note_event};
use crate::public_id::new_id;

/// A build to be added.
pub(crate) struct BuildRow<'a> {
    pub(crate) project_seq: i64,
    /// The content, where it is there already: then the build has ended.
    pub(crate) site_id: Option<i64>,
    /// The version it is made from.
    pub(crate) version_seq: Option<i64>,
    pub(crate) prompt: BuildTrigger,
    pub(crate) source_event: Option<String>,
    /// JSON.
    pub(crate) metadata: Option<String>,
    pub(crate) steps: &'static [&'static str],
    pub(crate) actor: &'a Actor,
}

impl<'a> BuildRow<'a> {
    /// A build of the project's repository, which waits.
    pub(crate) const fn of_repository(
        project_seq: i64,
        prompt: BuildTrigger,
        source_event: Option<String>,
        actor: &'a Actor,
    ) -> Self {
        Self {
            project_seq,
            site_id: None,
            version_seq: None,
            prompt,
            source_event,
            metadata: None,
            steps: &["queued", "initialize", "clone_repo", "build"],
            actor,
        }
    }
}

const NEXT: &str =
    "UPDATE project SET builds_made = builds_made + 1 WHERE seq = $1 RETURNING builds_made AS seq";
const ADD: &str = "INSERT INTO build (id, account_seq, project_seq, site_id, version_seq, number, prompt, source_event, metadata,
        created_by, created, status, started, completed)
    SELECT $1, p.account_seq, p.seq, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12 FROM project p WHERE p.seq = $2
    RETURNING seq";
const START: &str = "UPDATE build SET status = 'running', started = $2 WHERE seq = $1 AND status = 'pending'";
const END: &str = "UPDATE build SET status = $2, error = $3, completed = $4
    WHERE seq = $1 AND status IN ('pending', 'running')";
const ABOUT: &str = "SELECT b.id, b.account_seq, b.number, b.status, b.prompt, p.public_id AS app
    FROM build b JOIN project p ON p.seq = b.project_seq WHERE b.seq = $1";

/// Adds a build and returns its number among all.
pub(crate) async fn add_build(tx: &Tx, new: BuildRow<'_>, now: Timestamp) -> Result<i64> {
    let number = returned(&tx.returning(NEXT, values![new.project_seq]).await?)?;
    let status = if new.site_id.is_some() { RunStatus::Completed } else { RunStatus::Pending };
    let ended = new.site_id.map(|_| now);
    let values = values![
        new_id(Entity::Build, now),
        new.project_seq,
        new.site_id,
        new.version_seq,
        number,
        new.prompt.as_str(),
        new.source_event,
        new.metadata,
        new.actor.key.clone(),
        now,
        status.as_str(),
        ended
    ];
    let seq = returned(&tx.returning(ADD, values).await?)?;
    add_build_steps(tx, seq, new.steps, now).await?;
    tell(tx, seq, "build.created", new.actor, now).await?;
    if ended.is_some() {
        close_build_steps(tx, seq, StepStatus::Completed, None, now).await?;
        tell(tx, seq, "build.completed", &Actor::default(), now).await?;
    }
    Ok(seq)
}

/// Somebody works on it.
pub(crate) async fn start_build(tx: &Tx, build: i64, now: Timestamp) -> Result<()> {
    if tx.run(START, values![build, now]).await? > 0 {
        tell(tx, build, "build.started", &Actor::default(), now).await?;
    }
    Ok(())
}

/// Ends a build that has not ended. Says whether it was this call that did.
pub(crate) async fn end_build(
    tx: &Tx,
    build: i64,
    status: RunStatus,
    error: Option<&str>,
    actor: &Actor,
    now: Timestamp,
) -> Result<bool> {
    if tx.run(END, values![build, status.as_str(), error, now]).await? == 0 {
        return Ok(false);
    }
    let (kind, running) = match status {
        RunStatus::Completed => ("build.completed", StepStatus::Completed),
        RunStatus::Cancelled => ("build.cancelled", StepStatus::Skipped),
        RunStatus::Pending | RunStatus::Running | RunStatus::Failed => ("build.failed", StepStatus::Failed),
    };
    close_build_steps(tx, build, running, error, now).await?;
    tell(tx, build, kind, actor, now).await?;
    Ok(true)
}

/// Brings a build of a repository and its steps to where the stages of its deployment have gone. How it ends is told
/// by its content, or by the end of the deployment.
pub(crate) async fn follow_build(
    tx: &Tx,
    build: i64,
    before: &Stages,
    after: &Stages,
    now: Timestamp,
) -> Result<()> {
    if before.get(StageName::Queued).status == StageStatus::Active
        && after.get(StageName::Queued).status == StageStatus::Success
    {
        start_build(tx, build, now).await?;
    }
    let of_build = |name: &StageName| *name != StageName::Deploy;
    for name in StageName::ALL.into_iter().filter(of_build) {
        let (old, new) = (before.get(name), after.get(name));
        if old.status == new.status {
            continue;
        }
        match new.status {
            StageStatus::Idle => {}
            StageStatus::Active => start_build_step(tx, build, name.as_str(), now).await?,
            StageStatus::Success => {
                end_build_step(tx, build, name.as_str(), StepEnd::new(StepStatus::Completed), now).await?;
            }
            StageStatus::Failure => {
                end_build_step(tx, build, name.as_str(), StepEnd::new(StepStatus::Failed), now).await?;
            }
            StageStatus::Canceled | StageStatus::Skipped => {
                end_build_step(tx, build, name.as_str(), StepEnd::new(StepStatus::Skipped), now).await?;
            }
        }
    }
    Ok(())
}

async fn tell(tx: &Tx, build: i64, kind: &str, actor: &Actor, now: Timestamp) -> Result<()> {
    let row = tx.one(ABOUT, values![build]).await?;
    let row = row.ok_or_else(|| StoreError::Corrupt("a build has no project".into()))?;
    let (id, app): (String, String) = (row.get("id")?, row.get("app")?);
    let event = NewEvent {
        account_seq: row.get("account_seq")?,
        app: Some(&app),
        kind,
        subject: &id,
        parent: Some(&app),
        data: serde_json::Map::new(),
    };
    let event = event
        .with("sequenceNumber", row.get::<i64>("number")?)
        .with("status", row.get::<String>("status")?)
        .with("trigger", row.get::<String>("prompt")?);
    note_event(tx, actor, event, now).await.map(drop)
}
