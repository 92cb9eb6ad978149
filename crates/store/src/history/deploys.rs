//! Deploys: adding one, and its way to its end.

use offprint_model::deploy::{DeployStep, DeployTrigger, RunStatus, StepStatus};
use offprint_model::listing::Entity;
use offprint_model::time::Timestamp;

use super::run::Run;
use super::steps::StepEnd;
use crate::db::{Rows, Tx, values};
use crate::deployments::returned;
use crate::error::Result;
use crate::events::Actor;
use crate::public_id::new_id;

/// A deploy to be added.
pub(crate) struct DeployRow<'a> {
    pub(crate) project_seq: i64,
    pub(crate) deployment_seq: i64,
    /// What the Pages API calls it: `create`, `retry`, `rollback`.
    pub(crate) cause: &'static str,
    pub(crate) prompt: DeployTrigger,
    /// JSON.
    pub(crate) metadata: Option<String>,
    /// Whether it goes where its app's deploys go; else it is for this server, whatever the app says.
    pub(crate) follows_target: bool,
    pub(crate) actor: &'a Actor,
}

const NEXT: &str =
    "UPDATE project SET deploys_made = deploys_made + 1 WHERE seq = $1 RETURNING deploys_made AS seq,
    target IS NOT NULL AS is_remote";
const ADD: &str =
    "INSERT INTO deploy (id, account_seq, project_seq, deployment_seq, build_seq, number, cause, prompt,
        source_event, metadata, created_by, created, status)
    SELECT $1, p.account_seq, p.seq, d.seq, d.build_seq, $4, $5, $6, b.source_event, $7, $8, $9, 'pending'
    FROM project p JOIN deployment d ON d.project_seq = p.seq JOIN build b ON b.seq = d.build_seq
    WHERE p.seq = $2 AND d.seq = $3 RETURNING seq";
const OPEN: &str = "SELECT seq FROM deploy WHERE deployment_seq = $1 AND completed IS NULL ORDER BY seq";

/// Writes down a wish and returns its number, by which wishes are ordered among all projects.
pub(crate) async fn add_deploy(tx: &Tx, new: DeployRow<'_>, now: Timestamp) -> Result<i64> {
    let next = tx.returning(NEXT, values![new.project_seq]).await?;
    let number = returned(&next)?;
    let is_remote = next.first().map(|row| row.get::<bool>("is_remote")).transpose()?.unwrap_or_default();
    let steps = if is_remote && new.follows_target { &DeployStep::REMOTE } else { &DeployStep::LOCAL };
    let id = new_id(Entity::Deploy, now);
    let values = values![
        &id,
        new.project_seq,
        new.deployment_seq,
        number,
        new.cause,
        new.prompt.as_str(),
        new.metadata,
        new.actor.key.clone(),
        now
    ];
    let seq = returned(&tx.returning(ADD, values).await?)?;
    let run = Run::Deploy(seq);
    let names: Vec<_> = steps.iter().map(|step| step.as_str()).collect();
    run.steps().add(tx, &names, now).await?;
    run.created(tx, new.actor, now).await?;
    Ok(seq)
}

/// The content is there and is being sealed.
pub(crate) async fn deploy_running(tx: &Tx, deploy: i64, now: Timestamp) -> Result<()> {
    if !Run::Deploy(deploy).start(tx, now).await? {
        return Ok(());
    }
    end_step(tx, deploy, DeployStep::ResolveBuild, StepEnd::new(StepStatus::Completed), now).await?;
    start_step(tx, deploy, DeployStep::Seal, now).await
}

/// It is sealed, and aliases point at it. The bytes are where they are served from, so none travel.
pub(crate) async fn sealed_and_live(
    tx: &Tx,
    deploy: i64,
    log: Option<String>,
    moved: bool,
    now: Timestamp,
) -> Result<()> {
    let sealed = StepEnd { log, ..StepEnd::new(StepStatus::Completed) };
    end_step(tx, deploy, DeployStep::Seal, sealed, now).await?;
    end_step(tx, deploy, DeployStep::Upload, StepEnd::new(StepStatus::Skipped), now).await?;
    let metadata = Some(serde_json::json!({ "aliasMoved": moved }).to_string());
    let activated = StepEnd { metadata, ..StepEnd::new(StepStatus::Completed) };
    end_step(tx, deploy, DeployStep::Activate, activated, now).await
}

/// It has come to its end well; steps that nobody has taken are left out.
pub(crate) async fn deploy_completed(tx: &Tx, deploy: i64, actor: &Actor, now: Timestamp) -> Result<()> {
    Run::Deploy(deploy).end(tx, RunStatus::Completed, None, actor, now).await.map(drop)
}

/// A step of it has begun.
pub(crate) async fn start_step(tx: &Tx, deploy: i64, step: DeployStep, now: Timestamp) -> Result<()> {
    Run::Deploy(deploy).steps().start(tx, step.as_str(), now).await
}

/// A step of it has ended.
pub(crate) async fn end_step(
    tx: &Tx,
    deploy: i64,
    step: DeployStep,
    end: StepEnd,
    now: Timestamp,
) -> Result<()> {
    Run::Deploy(deploy).steps().end(tx, step.as_str(), end, now).await
}

/// Ends the deploys of a deployment that have not ended.
pub(crate) async fn end_deploys_of(
    tx: &Tx,
    deployment: i64,
    status: RunStatus,
    error: Option<&str>,
    actor: &Actor,
    now: Timestamp,
) -> Result<()> {
    for row in tx.all(OPEN, values![deployment]).await? {
        Run::Deploy(row.get("seq")?).end(tx, status, error, actor, now).await?;
    }
    Ok(())
}
