//! The steps of builds and deploys. Rows of history from before steps were written down have none; a change of a step
//! that is not there changes nothing.

use offprint_model::deploy::{DeployStep, StepStatus};
use offprint_model::listing::Entity;
use offprint_model::time::Timestamp;

use crate::db::{Tx, values};
use crate::error::Result;
use crate::public_id::new_id;

/// How a step came to its end.
#[derive(Clone, Debug)]
pub(crate) struct StepEnd {
    pub(crate) status: StepStatus,
    pub(crate) error: Option<String>,
    pub(crate) log: Option<String>,
    /// JSON.
    pub(crate) metadata: Option<String>,
}

impl StepEnd {
    pub(crate) const fn new(status: StepStatus) -> Self {
        Self { status, error: None, log: None, metadata: None }
    }
}

const ADD_OF_DEPLOY: &str = "INSERT INTO deploy_step (deploy_seq, position, id, name, status, created)
    VALUES ($1, $2, $3, $4, 'pending', $5)";
const ADD_OF_BUILD: &str = "INSERT INTO build_step (build_seq, position, id, name, status, created)
    VALUES ($1, $2, $3, $4, 'pending', $5)";
const START: &str = "UPDATE deploy_step SET status = 'running', started = $3
    WHERE deploy_seq = $1 AND name = $2 AND status IN ('pending', 'running')";
const START_OF_BUILD: &str = "UPDATE build_step SET status = 'running', started = $3
    WHERE build_seq = $1 AND name = $2 AND status IN ('pending', 'running')";
const END: &str = "UPDATE deploy_step SET status = $3, error = $4, log = coalesce($5, log), metadata = coalesce($6, metadata),
        started = coalesce(started, $7), completed = $7
    WHERE deploy_seq = $1 AND name = $2 AND status IN ('pending', 'running')";
const END_OF_BUILD: &str = "UPDATE build_step SET status = $3, error = $4, log = coalesce($5, log),
        metadata = coalesce($6, metadata), started = coalesce(started, $7), completed = $7
    WHERE build_seq = $1 AND name = $2 AND status IN ('pending', 'running')";
/// What had begun ends so; what had not is left out.
const CLOSE: &str = "UPDATE deploy_step SET error = CASE status WHEN 'running' THEN $3 ELSE error END,
        completed = CASE status WHEN 'running' THEN $4 ELSE completed END,
        status = CASE status WHEN 'running' THEN $2 ELSE 'skipped' END
    WHERE deploy_seq = $1 AND status IN ('pending', 'running')";
const CLOSE_OF_BUILD: &str =
    "UPDATE build_step SET error = CASE status WHEN 'running' THEN $3 ELSE error END,
        completed = CASE status WHEN 'running' THEN $4 ELSE completed END,
        status = CASE status WHEN 'running' THEN $2 ELSE 'skipped' END
    WHERE build_seq = $1 AND status IN ('pending', 'running')";

pub(super) async fn add_deploy_steps(
    tx: &Tx,
    deploy: i64,
    steps: &[DeployStep],
    now: Timestamp,
) -> Result<()> {
    for (position, step) in (0_i64..).zip(steps) {
        let id = new_id(Entity::DeployStep, now);
        tx.run(ADD_OF_DEPLOY, values![deploy, position, id, step.as_str(), now]).await?;
    }
    Ok(())
}

pub(super) async fn add_build_steps(
    tx: &Tx,
    build: i64,
    steps: &[&'static str],
    now: Timestamp,
) -> Result<()> {
    for (position, step) in (0_i64..).zip(steps) {
        let id = new_id(Entity::BuildStep, now);
        tx.run(ADD_OF_BUILD, values![build, position, id, *step, now]).await?;
    }
    Ok(())
}

pub(crate) async fn start_step(tx: &Tx, deploy: i64, step: DeployStep, now: Timestamp) -> Result<()> {
    tx.run(START, values![deploy, step.as_str(), now]).await.map(drop)
}

pub(crate) async fn end_step(
    tx: &Tx,
    deploy: i64,
    step: DeployStep,
    end: StepEnd,
    now: Timestamp,
) -> Result<()> {
    let StepEnd { status, error, log, metadata } = end;
    tx.run(END, values![deploy, step.as_str(), status.as_str(), error, log, metadata, now]).await.map(drop)
}

pub(crate) async fn start_build_step(tx: &Tx, build: i64, step: &str, now: Timestamp) -> Result<()> {
    tx.run(START_OF_BUILD, values![build, step, now]).await.map(drop)
}

pub(crate) async fn end_build_step(
    tx: &Tx,
    build: i64,
    step: &str,
    end: StepEnd,
    now: Timestamp,
) -> Result<()> {
    let StepEnd { status, error, log, metadata } = end;
    tx.run(END_OF_BUILD, values![build, step, status.as_str(), error, log, metadata, now]).await.map(drop)
}

/// Ends all steps of a deploy that has ended itself.
pub(super) async fn close_deploy_steps(
    tx: &Tx,
    deploy: i64,
    running: StepStatus,
    error: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    tx.run(CLOSE, values![deploy, running.as_str(), error, now]).await.map(drop)
}

/// Ends all steps of a build that has ended itself.
pub(super) async fn close_build_steps(
    tx: &Tx,
    build: i64,
    running: StepStatus,
    error: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    tx.run(CLOSE_OF_BUILD, values![build, running.as_str(), error, now]).await.map(drop)
}
