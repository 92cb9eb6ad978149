//! The steps of builds and deploys. Rows of history from before steps were written down have none; a change of a step
//! that is not there changes nothing.

use offprint_model::deploy::StepStatus;
use offprint_model::listing::Entity;
use offprint_model::time::Timestamp;

use super::run::Run;
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

/// The steps of a build or a deploy.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    owner: i64,
    entity: Entity,
    texts: &'static Texts,
}

struct Texts {
    add: &'static str,
    start: &'static str,
    end: &'static str,
    /// What comes before a step and runs has ended well.
    pass: &'static str,
    /// What had begun ends so; what had not is left out.
    close: &'static str,
}

macro_rules! texts {
    ($table:literal, $owner:literal) => {
        Texts {
            add: concat!(
                "INSERT INTO ",
                $table,
                " (",
                $owner,
                ", position, id, name, status, created) VALUES ($1, $2, $3, $4, 'pending', $5)"
            ),
            start: concat!(
                "UPDATE ",
                $table,
                " SET status = 'running', started = coalesce(started, $3) WHERE ",
                $owner,
                " = $1 AND name = $2 AND status IN ('pending', 'running')"
            ),
            end: concat!(
                "UPDATE ",
                $table,
                " SET status = $3, error = $4, log = coalesce($5, log), metadata = coalesce($6, metadata),
                started = coalesce(started, $7), completed = $7 WHERE ",
                $owner,
                " = $1 AND name = $2 AND status IN ('pending', 'running')"
            ),
            pass: concat!(
                "UPDATE ",
                $table,
                " SET status = 'completed', completed = $3 WHERE ",
                $owner,
                " = $1 AND status = 'running' AND position < (SELECT o.position FROM ",
                $table,
                " o WHERE o.",
                $owner,
                " = $1 AND o.name = $2)"
            ),
            close: concat!(
                "UPDATE ",
                $table,
                " SET error = CASE status WHEN 'running' THEN $3 ELSE error END,
                completed = CASE status WHEN 'running' THEN $4 ELSE completed END,
                status = CASE status WHEN 'running' THEN $2 ELSE 'skipped' END WHERE ",
                $owner,
                " = $1 AND status IN ('pending', 'running')"
            ),
        }
    };
}

const OF_BUILD: Texts = texts!("build_step", "build_seq");
const OF_DEPLOY: Texts = texts!("deploy_step", "deploy_seq");

impl Steps {
    pub(super) const fn of(run: Run) -> Self {
        match run {
            Run::Build(owner) => Self { owner, entity: Entity::BuildStep, texts: &OF_BUILD },
            Run::Deploy(owner) => Self { owner, entity: Entity::DeployStep, texts: &OF_DEPLOY },
        }
    }

    /// Adds them, in this order.
    pub(super) async fn add(self, tx: &Tx, names: &[&'static str], now: Timestamp) -> Result<()> {
        for (position, name) in (0_i64..).zip(names) {
            let id = new_id(self.entity, now);
            tx.run(self.texts.add, values![self.owner, position, id, *name, now]).await?;
        }
        Ok(())
    }

    /// One has begun, and those before it that ran have ended well.
    pub(super) async fn enter(self, tx: &Tx, name: &str, now: Timestamp) -> Result<()> {
        tx.run(self.texts.pass, values![self.owner, name, now]).await?;
        self.start(tx, name, now).await
    }

    /// One has begun; it keeps the time at which it did so first.
    pub(super) async fn start(self, tx: &Tx, name: &str, now: Timestamp) -> Result<()> {
        tx.run(self.texts.start, values![self.owner, name, now]).await.map(drop)
    }

    /// One has ended.
    pub(super) async fn end(self, tx: &Tx, name: &str, end: StepEnd, now: Timestamp) -> Result<()> {
        let StepEnd { status, error, log, metadata } = end;
        let values = values![self.owner, name, status.as_str(), error, log, metadata, now];
        tx.run(self.texts.end, values).await.map(drop)
    }

    /// Ends all of them, because what they belong to has ended.
    pub(super) async fn close(
        self,
        tx: &Tx,
        running: StepStatus,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        tx.run(self.texts.close, values![self.owner, running.as_str(), error, now]).await.map(drop)
    }
}
