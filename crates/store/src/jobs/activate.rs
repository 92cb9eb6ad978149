//! Taking a sealed deployment live, and what comes after.
//!
//! The deployment has ended when it is live: from then on it cannot be canceled. Its deploy ends with the look at it that
//! follows, and so does the job: a worker that is killed between the two leaves a job whose deployment is live, and
//! the next worker takes that look.

use offprint_model::deploy::{DeployStep, StepStatus};
use offprint_model::name::ProjectName;
use offprint_model::stages::Stages;
use offprint_model::time::Timestamp;

use super::{Lease, Sealed, finish, holds, write_stages};
use crate::clock::Clock;
use crate::db::{Rows, Tx, values};
use crate::deployments::{SetAlias, environment_named, move_alias};
use crate::error::{Result, StoreError};
use crate::events::Actor;
use crate::history::{StepEnd, deploy_completed, end_step, sealed_and_live, start_step};
use crate::open::Store;
use crate::projects::stored_name;
use crate::routing::routes_changed;
use crate::variants::note_variants;

const SET_SEALED: &str = "UPDATE site SET sealed = $2 WHERE id = $1 AND sealed IS NULL";
const ACTIVATED: &str = "UPDATE deployment SET activated = $2 WHERE seq = $1";
const ALIAS_OF: &str = "SELECT d.project_seq, d.environment, d.label, p.name, d.site_id, s.sealed
    FROM deployment d JOIN project p ON p.seq = d.project_seq JOIN site s ON s.id = d.site_id WHERE d.seq = $1";
const LIVE: &str = "SELECT seq FROM deployment WHERE seq = $1 AND activated IS NOT NULL AND deleted IS NULL";

/// What a look at a live deployment has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// What was seen, for people.
    pub log: String,
    /// What is wrong with it. The deployment is live all the same.
    pub error: Option<String>,
}

impl Store {
    /// Ends the deployment successfully and lets it be served: its own host, and the host of production or of
    /// its branch unless a later wish holds that (see the order of wishes in the module on deployments). One
    /// transaction: a reader sees all of it or nothing. Nobody looks at it afterwards: its deploy has ended as well.
    ///
    /// # Errors
    /// `LeaseLost`; `IllegalStages` when the stages do not end in success or do not follow from the stored
    /// ones, or the seal is of another deployment or content.
    pub async fn activate(&self, sealed: Sealed, lease: &Lease, stages: Stages) -> Result<()> {
        let tx = self.db().write("activate").await?;
        let now = Clock::now();
        take_live(&tx, &sealed, lease, stages, None, now).await?;
        deploy_completed(&tx, lease.order, &Actor::default(), now).await?;
        finish(&tx, lease).await?;
        tx.commit().await
    }

    /// As [`Store::activate`], but the job is not done: [`Store::complete`] is still to come, by this worker or,
    /// should it die, by the next. `log` is what the sealing has said.
    ///
    /// # Errors
    /// As [`Store::activate`].
    pub async fn activate_to_be_verified(
        &self,
        sealed: Sealed,
        lease: &Lease,
        stages: Stages,
        log: Option<String>,
    ) -> Result<()> {
        let tx = self.db().write("activate").await?;
        let now = Clock::now();
        take_live(&tx, &sealed, lease, stages, log, now).await?;
        start_step(&tx, lease.order, DeployStep::Verify, now).await?;
        tx.commit().await
    }

    /// Ends the deploy of a deployment that is live, and its job.
    ///
    /// # Errors
    /// `LeaseLost`, also when the deployment was deleted; `IllegalStages` when it is not live.
    pub async fn complete(&self, lease: &Lease, verified: Verified) -> Result<()> {
        let tx = self.db().write("complete").await?;
        let now = Clock::now();
        holds(&tx, lease).await?;
        if tx.one(LIVE, values![lease.deployment_seq]).await?.is_none() {
            return Err(StoreError::IllegalStages("what is not live is not complete"));
        }
        let status = if verified.error.is_some() { StepStatus::Failed } else { StepStatus::Completed };
        let log = Some(verified.log).filter(|log| !log.is_empty());
        let end = StepEnd { error: verified.error, log, ..StepEnd::new(status) };
        end_step(&tx, lease.order, DeployStep::Verify, end, now).await?;
        deploy_completed(&tx, lease.order, &Actor::default(), now).await?;
        finish(&tx, lease).await?;
        tx.commit().await
    }
}

async fn take_live(
    tx: &Tx,
    sealed: &Sealed,
    lease: &Lease,
    stages: Stages,
    log: Option<String>,
    now: Timestamp,
) -> Result<()> {
    if !stages.is_success() {
        return Err(StoreError::IllegalStages("only a success is activated"));
    }
    if sealed.deployment_seq != lease.deployment_seq {
        return Err(StoreError::IllegalStages("the seal is of another deployment"));
    }
    write_stages(tx, lease, stages, now).await?;
    let row = tx.one(ALIAS_OF, values![lease.deployment_seq]).await?.ok_or(StoreError::LeaseLost)?;
    if row.get::<i64>("site_id")? != sealed.site_id {
        return Err(StoreError::IllegalStages("the content is not the one that was sealed"));
    }
    tx.run(ACTIVATED, values![lease.deployment_seq, now]).await?;
    if row.time_opt("sealed")?.is_none() {
        tx.run(SET_SEALED, values![sealed.site_id, now]).await?;
    }
    let alias = SetAlias {
        project_seq: row.get("project_seq")?,
        environment: environment_named(&row.get::<String>("environment")?)?,
        label: row.get("label")?,
        deployment_seq: lease.deployment_seq,
        order: lease.order,
    };
    let moved = move_alias(tx, alias).await?;
    note_variants(tx, sealed.site_id).await?;
    let project = ProjectName::parse(&row.get::<String>("name")?).map_err(stored_name)?;
    routes_changed(tx, &project).await?;
    sealed_and_live(tx, lease.order, log, moved, now).await
}
