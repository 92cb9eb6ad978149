//! What a build and a deploy have in common: a row with a status, which begins once and ends once, and tells of it.

use offprint_model::deploy::{RunStatus, StepStatus};
use offprint_model::time::Timestamp;

use super::steps::Steps;
use crate::db::{Row, Rows, Tx, values};
use crate::error::{Result, StoreError};
use crate::events::{Actor, NewEvent, note_event};

/// A build or a deploy, by its number among all of its kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Run {
    Build(i64),
    Deploy(i64),
}

/// The statements and the events of a kind.
struct Texts {
    start: &'static str,
    end: &'static str,
    about: &'static str,
    created: &'static str,
    started: &'static str,
    completed: &'static str,
    cancelled: &'static str,
    failed: &'static str,
}

macro_rules! texts {
    ($table:literal, $about:literal) => {
        Texts {
            start: concat!(
                "UPDATE ",
                $table,
                " SET status = 'running', started = $2 WHERE seq = $1 AND status = 'pending'"
            ),
            end: concat!(
                "UPDATE ",
                $table,
                " SET status = $2, error = $3, completed = $4 WHERE seq = $1 AND status IN ('pending', 'running')"
            ),
            about: $about,
            created: concat!($table, ".created"),
            started: concat!($table, ".started"),
            completed: concat!($table, ".completed"),
            cancelled: concat!($table, ".cancelled"),
            failed: concat!($table, ".failed"),
        }
    };
}

const BUILD: Texts = texts!(
    "build",
    "SELECT b.id, b.account_seq, b.number, b.status, b.prompt, p.public_id AS app
    FROM build b JOIN project p ON p.seq = b.project_seq WHERE b.seq = $1"
);
const DEPLOY: Texts = texts!(
    "deploy",
    "SELECT y.id, y.account_seq, y.number, y.status, y.prompt, p.public_id AS app, b.id AS build
    FROM deploy y JOIN project p ON p.seq = y.project_seq LEFT JOIN build b ON b.seq = y.build_seq
    WHERE y.seq = $1"
);

impl Run {
    const fn texts(self) -> &'static Texts {
        match self {
            Self::Build(_) => &BUILD,
            Self::Deploy(_) => &DEPLOY,
        }
    }

    pub(super) const fn seq(self) -> i64 {
        match self {
            Self::Build(seq) | Self::Deploy(seq) => seq,
        }
    }

    pub(super) const fn steps(self) -> Steps {
        Steps::of(self)
    }

    /// Its row and its steps are there.
    pub(super) async fn created(self, tx: &Tx, actor: &Actor, now: Timestamp) -> Result<()> {
        self.tell(tx, self.texts().created, actor, now).await
    }

    /// Somebody works on it. Says whether it was waiting for that.
    pub(super) async fn start(self, tx: &Tx, now: Timestamp) -> Result<bool> {
        if tx.run(self.texts().start, values![self.seq(), now]).await? == 0 {
            return Ok(false);
        }
        self.tell(tx, self.texts().started, &Actor::default(), now).await?;
        Ok(true)
    }

    /// It was completed when its row was made.
    pub(super) async fn completed(self, tx: &Tx, now: Timestamp) -> Result<()> {
        self.steps().close(tx, StepStatus::Completed, None, now).await?;
        self.tell(tx, self.texts().completed, &Actor::default(), now).await
    }

    /// Ends it, if it has not ended. Says whether it was this call that did.
    pub(super) async fn end(
        self,
        tx: &Tx,
        status: RunStatus,
        error: Option<&str>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<bool> {
        let texts = self.texts();
        if tx.run(texts.end, values![self.seq(), status.as_str(), error, now]).await? == 0 {
            return Ok(false);
        }
        let (event, running) = match status {
            RunStatus::Completed => (texts.completed, StepStatus::Completed),
            RunStatus::Cancelled => (texts.cancelled, StepStatus::Skipped),
            RunStatus::Pending | RunStatus::Running | RunStatus::Failed => (texts.failed, StepStatus::Failed),
        };
        self.steps().close(tx, running, error, now).await?;
        self.tell(tx, event, actor, now).await?;
        Ok(true)
    }

    async fn tell(self, tx: &Tx, kind: &str, actor: &Actor, now: Timestamp) -> Result<()> {
        let row: Row = tx
            .one(self.texts().about, values![self.seq()])
            .await?
            .ok_or_else(|| StoreError::Corrupt(format!("{self:?} has no project")))?;
        let (id, app): (String, String) = (row.get("id")?, row.get("app")?);
        let event = NewEvent {
            account_seq: row.get("account_seq")?,
            app: Some(&app),
            kind,
            subject: &id,
            parent: Some(&app),
            data: serde_json::Map::new(),
        };
        let mut event = event
            .with("sequenceNumber", row.get::<i64>("number")?)
            .with("status", row.get::<String>("status")?)
            .with("trigger", row.get::<String>("prompt")?);
        if let Self::Deploy(_) = self {
            event = event.with("buildId", row.get::<Option<String>>("build")?);
        }
        note_event(tx, actor, event, now).await.map(drop)
    }
}
