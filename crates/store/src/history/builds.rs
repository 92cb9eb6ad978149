//! Builds: adding one, and its way to its end.

use offprint_model::deploy::{BuildTrigger, RunStatus, StepStatus};
use offprint_model::listing::Entity;
use offprint_model::stages::{StageName, StageStatus, Stages};
use offprint_model::time::Timestamp;

use super::run::Run;
use super::steps::StepEnd;
use crate::db::{Tx, values};
use crate::deployments::returned;
use crate::error::Result;
use crate::events::Actor;
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
    let run = Run::Build(seq);
    run.steps().add(tx, new.steps, now).await?;
    run.created(tx, new.actor, now).await?;
    if new.site_id.is_some() {
        run.completed(tx, now).await?;
    }
    Ok(seq)
}

/// Somebody works on it.
async fn start_build(tx: &Tx, build: i64, now: Timestamp) -> Result<()> {
    Run::Build(build).start(tx, now).await.map(drop)
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
    Run::Build(build).end(tx, status, error, actor, now).await
}

/// Somebody works at this step of it; those before it have ended well or were left out.
pub(crate) async fn enter_build_step(tx: &Tx, build: i64, step: &str, now: Timestamp) -> Result<()> {
    start_build(tx, build, now).await?;
    Run::Build(build).steps().enter(tx, step, now).await
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
    let steps = Run::Build(build).steps();
    let of_build = |name: &StageName| *name != StageName::Deploy;
    for name in StageName::ALL.into_iter().filter(of_build) {
        let (old, new) = (before.get(name), after.get(name));
        if old.status == new.status {
            continue;
        }
        let ended = match new.status {
            StageStatus::Idle => continue,
            StageStatus::Active => {
                steps.start(tx, name.as_str(), now).await?;
                continue;
            }
            StageStatus::Success => StepStatus::Completed,
            StageStatus::Failure => StepStatus::Failed,
            StageStatus::Canceled | StageStatus::Skipped => StepStatus::Skipped,
        };
        steps.end(tx, name.as_str(), StepEnd::new(ended), now).await?;
    }
    Ok(())
}
