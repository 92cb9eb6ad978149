//! Deploys: adding one, and its way to its end.

use offprint_model::deploy::{DeployStep, DeployTrigger, RunStatus, StepStatus};
use offprint_model::listing::Entity;
use offprint_model::time::Timestamp;

use super::steps::{StepEnd, add_deploy_steps, close_deploy_steps, end_step, start_step};
use crate::db::{Row, Rows, Tx, values};
use crate::deployments::returned;
use crate::error::{Result, StoreError};
use crate::events::{Actor, NewEvent, note_event};
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
const START: &str =
    "UPDATE deploy SET status = 'running', started = $2 WHERE seq = $1 AND status = 'pending'";
const END: &str = "UPDATE deploy SET status = $2, error = $3, completed = $4
    WHERE seq = $1 AND status IN ('pending', 'running')";
const OPEN: &str = "SELECT seq FROM deploy WHERE deployment_seq = $1 AND completed IS NULL ORDER BY seq";
const ABOUT: &str =
    "SELECT y.id, y.account_seq, y.number, y.status, y.prompt, p.public_id AS app, b.id AS build
    FROM deploy y JOIN project p ON p.seq = y.project_seq LEFT JOIN build b ON b.seq = y.build_seq
    WHERE y.seq = $1";

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
    add_deploy_steps(tx, seq, steps, now).await?;
    tell(tx, seq, "deploy.created", new.actor, now).await?;
    Ok(seq)
}

/// The content is there and is being sealed.
pub(crate) async fn deploy_running(tx: &Tx, deploy: i64, now: Timestamp) -> Result<()> {
    if tx.run(START, values![deploy, now]).await? == 0 {
        return Ok(());
    }
    end_step(tx, deploy, DeployStep::ResolveBuild, StepEnd::new(StepStatus::Completed), now).await?;
    start_step(tx, deploy, DeployStep::Seal, now).await?;
    tell(tx, deploy, "deploy.started", &Actor::default(), now).await
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
    end_deploy(tx, deploy, RunStatus::Completed, None, actor, now).await.map(drop)
}

/// Ends a deploy that has not ended. Says whether it was this call that did.
pub(crate) async fn end_deploy(
    tx: &Tx,
    deploy: i64,
    status: RunStatus,
    error: Option<&str>,
    actor: &Actor,
    now: Timestamp,
) -> Result<bool> {
    if tx.run(END, values![deploy, status.as_str(), error, now]).await? == 0 {
        return Ok(false);
    }
    let (kind, running) = match status {
        RunStatus::Completed => ("deploy.completed", StepStatus::Completed),
        RunStatus::Cancelled => ("deploy.cancelled", StepStatus::Skipped),
        RunStatus::Pending | RunStatus::Running | RunStatus::Failed => ("deploy.failed", StepStatus::Failed),
    };
    close_deploy_steps(tx, deploy, running, error, now).await?;
    tell(tx, deploy, kind, actor, now).await?;
    Ok(true)
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
        end_deploy(tx, row.get("seq")?, status, error, actor, now).await?;
    }
    Ok(())
}

async fn tell(tx: &Tx, deploy: i64, kind: &str, actor: &Actor, now: Timestamp) -> Result<()> {
    let row: Row = tx
        .one(ABOUT, values![deploy])
        .await?
        .ok_or_else(|| StoreError::Corrupt("a deploy has no project".into()))?;
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
        .with("trigger", row.get::<String>("prompt")?)
        .with("buildId", row.get::<Option<String>>("build")?);
    note_event(tx, actor, event, now).await.map(drop)
}
