//! The steps of a deploy to another server, as its worker takes them.

use offprint_model::deploy::{DeployStep, StepStatus};
use offprint_model::secret::Secret;

use super::{Lease, holds};
use crate::clock::Clock;
use crate::db::{Rows, values};
use crate::error::Result;
use crate::history::{StepEnd, end_step, start_step};
use crate::open::Store;

/// What a step has to say.
#[derive(Clone, Debug, Default)]
pub struct StepReport {
    /// Text, for people.
    pub log: Option<String>,
    /// JSON.
    pub metadata: Option<String>,
}

/// Another server of the Pages API, to which a deploy goes.
#[derive(Clone)]
pub struct PagesTarget {
    /// The address of the API, `/client/v4` included.
    pub base_url: String,
    /// The account there.
    pub account_id: String,
    /// The project there.
    pub project_name: String,
    /// The token there.
    pub api_token: Secret<String>,
}

const METADATA: &str = "SELECT metadata FROM deploy_step
    WHERE deploy_seq = $1 AND name = $2 AND status = 'completed'";
const SET_URLS: &str = "UPDATE deploy SET production_url = $2, preview_url = $3 WHERE seq = $1";

impl Store {
    /// A step of the deploy begins.
    ///
    /// # Errors
    /// `LeaseLost`: the deploy was cancelled, and stops here.
    pub async fn begin_step(&self, lease: &Lease, step: DeployStep) -> Result<()> {
        let tx = self.db().write("begin_step").await?;
        holds(&tx, lease).await?;
        start_step(&tx, lease.order, step, Clock::now()).await?;
        tx.commit().await
    }

    /// A step of the deploy is done.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn end_step(&self, lease: &Lease, step: DeployStep, report: StepReport) -> Result<()> {
        let tx = self.db().write("end_step").await?;
        holds(&tx, lease).await?;
        let StepReport { log, metadata } = report;
        let end = StepEnd { log, metadata, ..StepEnd::new(StepStatus::Completed) };
        end_step(&tx, lease.order, step, end, Clock::now()).await?;
        tx.commit().await
    }

    /// What a step that is done has left, be it in an earlier attempt.
    pub async fn step_metadata(&self, lease: &Lease, step: DeployStep) -> Result<Option<String>> {
        match self.db().one(METADATA, values![lease.order, step.as_str()]).await? {
            Some(row) => row.get("metadata"),
            None => Ok(None),
        }
    }

    /// Notes where the deploy answers at the other server.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn set_deploy_urls(
        &self,
        lease: &Lease,
        production: Option<String>,
        preview: String,
    ) -> Result<()> {
        let tx = self.db().write("set_deploy_urls").await?;
        holds(&tx, lease).await?;
        tx.run(SET_URLS, values![lease.order, production, preview]).await?;
        tx.commit().await
    }
}
