//! Deployments: making them, looking at them, and changing which of them is served.
//!
//! **Order.** Every wish to publish — a creation, a retry, a rollback — is a row of the table `deploy`, and
//! takes the next number there. An alias remembers the number of the wish that set it. A deployment that
//! comes to its end takes an alias over only when its own number is higher: so an older deployment that was
//! slower never replaces a newer one, and after a rollback the deployments that were under way at that time
//! do not either, since the rollback was the later wish. The next deployment to be asked for does. A rollback
//! is explicit: it always takes the alias, with a number of its own.

mod alias;
mod cancel;
mod change;
mod content;
mod create;
mod insert;
mod retry;
mod row;

pub use content::{NewContent, UploadedConfiguration};
pub use create::NewDeployment;

pub(crate) use alias::{SetAlias, move_alias};
pub(crate) use cancel::{Unfinished, cancel, end_history, end_unfinished};
pub(crate) use change::RELEASE_SITE;
pub(crate) use content::{Prepared, apply, apply_to, ensure_site};
pub(crate) use insert::{Insert, Snapshot, Wish, label, returned};
pub(crate) use row::{by_host, by_seq, environment_named};

use std::collections::HashMap;

use offprint_model::config::Environment;
use offprint_model::deployment::{Deployment, LogLine};
use offprint_model::id::DeploymentId;

use crate::db::{Rows, values};
use crate::error::{Entity, Result, StoreError};
use crate::open::Store;
use crate::page::{Listed, Page};
use crate::projects::{ProjectScope, count, json};

/// Part of a log, and the deployment at that moment: when it has ended and `lines` are fewer than were asked for,
/// no more will come.
#[derive(Clone)]
pub struct LogTail {
    /// Lines with their numbers, which grow by one from 1.
    pub lines: Vec<(u64, LogLine)>,
    /// The deployment in the same state of the store.
    pub deployment: Deployment,
}

const LOG: &str = "SELECT l.at, l.text FROM log l WHERE l.deployment_seq = $1 ORDER BY l.n";
const LOG_AFTER: &str = "SELECT l.n, l.at, l.text FROM log l WHERE l.deployment_seq = $1 AND l.n > $2
    ORDER BY l.n LIMIT $3";
const COUNT: &str = "SELECT count(*) AS total FROM deployment WHERE project_seq = $1 AND deleted IS NULL";
const COUNT_PRODUCTION: &str = "SELECT count(*) AS total FROM deployment
    WHERE project_seq = $1 AND environment = 'production' AND deleted IS NULL";
const COUNT_PREVIEW: &str = "SELECT count(*) AS total FROM deployment
    WHERE project_seq = $1 AND environment = 'preview' AND deleted IS NULL";

impl Store {
    /// A page of the project's deployments, newest first: by the order in which they were made.
    pub async fn list_deployments(
        &self,
        scope: &ProjectScope,
        environment: Option<Environment>,
        page: Page,
    ) -> Result<Listed<Deployment>> {
        let tx = self.db().read().await?;
        let (limit, offset) = page.limit_offset();
        let rows = match environment {
            None => tx.all(row::LIST, values![scope.seq, limit, offset]).await?,
            Some(environment) => {
                let values = values![scope.seq, limit, offset, environment.as_str()];
                tx.all(row::LIST_ENVIRONMENT, values).await?
            }
        };
        let count_sql = match environment {
            None => COUNT,
            Some(Environment::Production) => COUNT_PRODUCTION,
            Some(Environment::Preview) => COUNT_PREVIEW,
        };
        let total = count(&tx, count_sql, scope.seq).await?;
        Ok(Listed { items: row::load_all(&tx, self.keys(), &rows).await?, total })
    }

    /// One deployment of the project.
    ///
    /// # Errors
    /// `NotFound(Deployment)`, also for one that was deleted.
    pub async fn deployment(&self, scope: &ProjectScope, id: &DeploymentId) -> Result<Deployment> {
        let tx = self.db().read().await?;
        let rows = tx.all(row::BY_ID, values![scope.seq, id.as_str()]).await?;
        let mut found = row::load_all(&tx, self.keys(), &rows).await?;
        found.pop().ok_or(StoreError::NotFound(Entity::Deployment))
    }

    /// The deployments with these ids; those that are not there are left out. For a page of projects, whose
    /// ids come from there: the caller has been authorised for them.
    pub async fn deployments_by_id(&self, ids: &[DeploymentId]) -> Result<HashMap<DeploymentId, Deployment>> {
        let ids: Vec<&str> = ids.iter().map(DeploymentId::as_str).collect();
        let tx = self.db().read().await?;
        let rows = tx.all(row::BY_IDS.of(tx.engine()), values![json(&ids)?]).await?;
        let found = row::load_all(&tx, self.keys(), &rows).await?;
        Ok(found.into_iter().map(|deployment| (deployment.id.clone(), deployment)).collect())
    }

    /// The log of a deployment, oldest line first.
    ///
    /// # Errors
    /// `NotFound(Deployment)`.
    pub async fn logs(&self, scope: &ProjectScope, id: &DeploymentId) -> Result<Vec<LogLine>> {
        let tx = self.db().read().await?;
        let row = tx.one(row::BY_ID, values![scope.seq, id.as_str()]).await?;
        let seq: i64 = row.ok_or(StoreError::NotFound(Entity::Deployment))?.get("seq")?;
        let rows = tx.all(LOG, values![seq]).await?;
        rows.iter().map(|row| Ok(LogLine { at: row.time("at")?, text: row.get("text")? })).collect()
    }

    /// At most `limit` lines of the log that come after the one with the number `after` (0: from the first), with
    /// the deployment as it was when the log had these lines.
    ///
    /// # Errors
    /// `NotFound(Deployment)`.
    pub async fn logs_after(
        &self,
        scope: &ProjectScope,
        id: &DeploymentId,
        after: u64,
        limit: u32,
    ) -> Result<LogTail> {
        let tx = self.db().read().await?;
        let found = tx.all(row::BY_ID, values![scope.seq, id.as_str()]).await?;
        let seq = found.first().ok_or(StoreError::NotFound(Entity::Deployment))?.get::<i64>("seq")?;
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let mut lines = Vec::new();
        for row in tx.all(LOG_AFTER, values![seq, after, i64::from(limit)]).await? {
            let n = u64::try_from(row.get::<i64>("n")?).unwrap_or_default();
            lines.push((n, LogLine { at: row.time("at")?, text: row.get("text")? }));
        }
        let deployment = row::load_all(&tx, self.keys(), &found).await?.pop();
        let deployment = deployment.ok_or(StoreError::NotFound(Entity::Deployment))?;
        Ok(LogTail { lines, deployment })
    }
}
