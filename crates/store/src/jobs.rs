//! The queue: who works on which deployment, and the work's steps.
//!
//! A claim leases the job for a time and adds one to its attempt, which is the fencing number: every write of
//! a worker names it, in the SQL of the write. A worker that slept through the end of its lease may go on as
//! long as nobody else has claimed the job; from then on each of its writes changes nothing and says
//! `LeaseLost`.

use std::time::Duration;

use offprint_model::deployment::{Deployment, LogLine};
use offprint_model::id::DeploymentId;
use offprint_model::stages::{StageStatus, Stages};
use offprint_model::time::Timestamp;

use crate::assets::hash_of;
use crate::clock::Clock;
use crate::db::{Row, Rows, Tx, values};
use crate::deployments::{SetAlias, by_seq, environment_named, move_alias};
use crate::error::{Result, StoreError};
use crate::open::Store;
use crate::projects::{json, stored_name};
use crate::routing::routes_changed;
use crate::site::{SiteDocument, SiteHash};
use crate::sql;
use crate::stored::{stages_from_json, stages_to_json};
use crate::variants::note_variants;

/// Receipt: the holder works on this job. Made by [`Store::claim_job`] only.
#[derive(Clone, Debug)]
pub struct Lease {
    job: i64,
    deployment_seq: i64,
    deployment: DeploymentId,
    order: i64,
    attempt: i64,
}

impl Lease {
    /// The deployment to work on.
    pub const fn deployment_id(&self) -> &DeploymentId {
        &self.deployment
    }

    /// How often the job has been claimed, this time included: the fencing number.
    pub fn attempt(&self) -> u32 {
        u32::try_from(self.attempt).unwrap_or(u32::MAX)
    }
}

/// Receipt: every byte of the deployment's site is stored and pinned. Made by [`Store::seal`] only.
#[derive(Debug)]
pub struct Sealed {
    deployment_seq: i64,
    site_id: i64,
}

/// What there is to do.
pub struct Work {
    /// The deployment, with the stages as an earlier attempt may have left them.
    pub deployment: Deployment,
    /// The name of its content.
    pub site: SiteHash,
    /// Its content.
    pub document: SiteDocument,
}

const ANY_CLAIMABLE: &str =
    "SELECT seq FROM job WHERE state IN ('ready', 'leased') AND lease_until <= $1 LIMIT 1";
const DEPLOYMENT_ID: &str = "SELECT id FROM deployment WHERE seq = $1";
const HOLDS: &str = "SELECT seq FROM job WHERE seq = $1 AND attempt = $2 AND state = 'leased'";
const RENEW: &str = "UPDATE job SET lease_until = $3 WHERE seq = $1 AND attempt = $2 AND state = 'leased'";
const RELEASE: &str = "UPDATE job SET state = 'ready', lease_until = 0, worker = NULL
    WHERE seq = $1 AND attempt = $2 AND state = 'leased'";
const FINISH: &str = "UPDATE job SET state = 'done', lease_until = 0
    WHERE seq = $1 AND attempt = $2 AND state = 'leased'";
const SITE_HASH: &str =
    "SELECT s.hash, d.site_id FROM deployment d JOIN site s ON s.id = d.site_id WHERE d.seq = $1";
const STAGES: &str = "SELECT stages FROM deployment WHERE seq = $1 AND ended IS NULL AND deleted IS NULL";
const SET_STAGES: &str = "UPDATE deployment SET stages = $2, modified = $3, ended = $4 WHERE seq = $1
    AND ended IS NULL AND EXISTS
        (SELECT 1 FROM job WHERE job.seq = $5 AND job.attempt = $6 AND job.state = 'leased')";
const SET_SEALED: &str = "UPDATE site SET sealed = $2 WHERE id = $1 AND sealed IS NULL";
const ACTIVATED: &str = "UPDATE deployment SET activated = $2 WHERE seq = $1";
const COMPLETED: &str = "UPDATE deploy SET completed = $2 WHERE seq = $1";
const ALIAS_OF: &str = "SELECT d.project_seq, d.environment, d.label, p.name, d.site_id, s.sealed
    FROM deployment d JOIN project p ON p.seq = d.project_seq JOIN site s ON s.id = d.site_id WHERE d.seq = $1";

impl Store {
    /// Leases the oldest job that is free or whose lease has run out. `None`: there is none now.
    pub async fn claim_job(&self, worker: &str, ttl: Duration) -> Result<Option<Lease>> {
        // Looking first keeps idle workers out of the writers' queue.
        if self.db().one(ANY_CLAIMABLE, values![Clock::now()]).await?.is_none() {
            return Ok(None);
        }
        let tx = self.db().write("claim_job").await?;
        let now = Clock::now();
        let claimed = tx.returning(sql::CLAIM_JOB, values![now, after(now, ttl), worker]).await?;
        let Some(row) = claimed.first() else { return Ok(None) };
        let deployment_seq: i64 = row.get("deployment_seq")?;
        let id = tx.one(DEPLOYMENT_ID, values![deployment_seq]).await?;
        let id: String =
            id.ok_or_else(|| StoreError::Corrupt("a job has no deployment".into()))?.get("id")?;
        let lease = Lease {
            job: row.get("seq")?,
            deployment_seq,
            deployment: DeploymentId::new(id),
            order: row.get("deploy_seq")?,
            attempt: row.get("attempt")?,
        };
        tx.commit().await?;
        Ok(Some(lease))
    }

    /// Makes the lease end so long from now.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<()> {
        let tx = self.db().write("renew").await?;
        let until = after(Clock::now(), ttl);
        fenced(tx.run(RENEW, values![lease.job, lease.attempt, until]).await?)?;
        tx.commit().await
    }

    /// Gives the job back unfinished, to be claimed at once, as when this process is to end.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn release(&self, lease: &Lease) -> Result<()> {
        let tx = self.db().write("release").await?;
        fenced(tx.run(RELEASE, values![lease.job, lease.attempt]).await?)?;
        tx.commit().await
    }

    /// What there is to do.
    ///
    /// # Errors
    /// `LeaseLost`; `NotFound(Blob)` and `Corrupt` when the document is lost.
    pub async fn work(&self, lease: &Lease) -> Result<Work> {
        let tx = self.db().read().await?;
        holds(&tx, lease).await?;
        let deployment = by_seq(&tx, self.keys(), lease.deployment_seq).await?;
        let row = site_row(&tx, lease).await?;
        let site = SiteHash::of_document(hash_of(row.get("hash")?)?);
        drop(tx);
        let document = self.load_site(&site).await?;
        Ok(Work { deployment, site, document })
    }

    /// Notes how far the deployment is. Stages that end it go to [`Store::activate`] or
    /// [`Store::finish_failed`].
    ///
    /// # Errors
    /// `LeaseLost`; `IllegalStages` when they go back, or end the deployment.
    pub async fn set_stages(&self, lease: &Lease, stages: Stages) -> Result<()> {
        if stages.is_terminal() {
            return Err(StoreError::IllegalStages("these stages end the deployment"));
        }
        let tx = self.db().write("set_stages").await?;
        write_stages(&tx, lease, stages, Clock::now()).await?;
        tx.commit().await
    }

    /// Adds lines to the deployment's log.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn append_log(&self, lease: &Lease, lines: &[LogLine]) -> Result<()> {
        let lines: Vec<_> =
            lines.iter().map(|line| (line.at.as_micros(), line.text.replace('\0', ""))).collect();
        let tx = self.db().write("append_log").await?;
        holds(&tx, lease).await?;
        tx.run(sql::APPEND_LOG, values![lease.deployment_seq, json(&lines)?]).await?;
        tx.commit().await
    }

    /// Proves that every byte of the deployment is stored: each blob of the manifest, the Worker and the
    /// document have a row, a pin, and a file of their length. A site that was sealed before is believed,
    /// since pins keep its blobs.
    ///
    /// # Errors
    /// `LeaseLost`; `Unsealed` when a blob is lost.
    pub async fn seal(&self, lease: &Lease) -> Result<Sealed> {
        holds(self.db(), lease).await?;
        let site_id = site_row(self.db(), lease).await?.get("site_id")?;
        self.check_seal(site_id).await?;
        Ok(Sealed { deployment_seq: lease.deployment_seq, site_id })
    }

    /// Ends the deployment successfully and lets it be served: its own host, and the host of production or of
    /// its branch unless a later wish holds that (see the order of wishes in the module on deployments). One
    /// transaction: a reader sees all of it or nothing.
    ///
    /// # Errors
    /// `LeaseLost`; `IllegalStages` when the stages do not end in success or do not follow from the stored
    /// ones, or the seal is of another deployment.
    pub async fn activate(&self, sealed: Sealed, lease: &Lease, stages: Stages) -> Result<()> {
        if !stages.is_success() {
            return Err(StoreError::IllegalStages("only a success is activated"));
        }
        if sealed.deployment_seq != lease.deployment_seq {
            return Err(StoreError::IllegalStages("the seal is of another deployment"));
        }
        let tx = self.db().write("activate").await?;
        let now = Clock::now();
        write_stages(&tx, lease, stages, now).await?;
        let row = tx.one(ALIAS_OF, values![lease.deployment_seq]).await?.ok_or(StoreError::LeaseLost)?;
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
        move_alias(&tx, alias).await?;
        note_variants(&tx, sealed.site_id).await?;
        let project = row.get::<String>("name")?;
        let project = offprint_model::name::ProjectName::parse(&project).map_err(stored_name)?;
        routes_changed(&tx, &project).await?;
        finish(&tx, lease, now).await?;
        tx.commit().await
    }

    /// Ends the deployment without success. What is served does not change.
    ///
    /// # Errors
    /// `LeaseLost`; `IllegalStages` when the stages do not end the deployment, end it in success, or do not
    /// follow from the stored ones.
    pub async fn finish_failed(&self, lease: &Lease, stages: Stages) -> Result<()> {
        if !stages.is_terminal() || stages.is_success() {
            return Err(StoreError::IllegalStages("these stages do not end the deployment without success"));
        }
        let tx = self.db().write("finish_failed").await?;
        let now = Clock::now();
        write_stages(&tx, lease, stages, now).await?;
        finish(&tx, lease, now).await?;
        tx.commit().await
    }
}

async fn holds(rows: &impl Rows, lease: &Lease) -> Result<()> {
    let held = rows.one(HOLDS, values![lease.job, lease.attempt]).await?;
    held.map(drop).ok_or(StoreError::LeaseLost)
}

async fn site_row(rows: &impl Rows, lease: &Lease) -> Result<Row> {
    rows.one(SITE_HASH, values![lease.deployment_seq]).await?.ok_or(StoreError::LeaseLost)
}

async fn write_stages(tx: &Tx, lease: &Lease, stages: Stages, now: Timestamp) -> Result<()> {
    holds(tx, lease).await?;
    let row = tx.one(STAGES, values![lease.deployment_seq]).await?.ok_or(StoreError::LeaseLost)?;
    if !follows(&stages_from_json(&row.get::<String>("stages")?)?, &stages) {
        return Err(StoreError::IllegalStages("stages only go forward"));
    }
    let ended = stages.is_terminal().then_some(now);
    let json = stages_to_json(&stages)?;
    let values = values![lease.deployment_seq, json, now, ended, lease.job, lease.attempt];
    fenced(tx.run(SET_STAGES, values).await?)
}

async fn finish(tx: &Tx, lease: &Lease, now: Timestamp) -> Result<()> {
    tx.run(COMPLETED, values![lease.order, now]).await?;
    fenced(tx.run(FINISH, values![lease.job, lease.attempt]).await?)
}

const fn fenced(changed: u64) -> Result<()> {
    if changed == 0 { Err(StoreError::LeaseLost) } else { Ok(()) }
}

/// Whether stages may come after others: what has ended stays as it is, what has begun does not become idle,
/// and one at the most is active.
fn follows(before: &Stages, after: &Stages) -> bool {
    let kept = before.iter().zip(after.iter()).all(|((_, before), (_, after))| match before.status {
        StageStatus::Idle => true,
        StageStatus::Active => after.status != StageStatus::Idle && after.started == before.started,
        _ => after == before,
    });
    kept && after.iter().filter(|(_, stage)| stage.status == StageStatus::Active).count() <= 1
}

/// The time so long after another.
pub(crate) fn after(now: Timestamp, ttl: Duration) -> Timestamp {
    let micros = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_add(micros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::stages::{StageEnd, StageName};

    #[test]
    fn stages_follow_forwards_only() {
        let at = Timestamp::from_micros;
        let queued = Stages::queued(at(1));
        let left = queued.end(StageName::Queued, StageEnd::Success, at(2)).unwrap();
        let deploying = left.start(StageName::Deploy, at(3)).unwrap();
        let done = deploying.end(StageName::Deploy, StageEnd::Success, at(4)).unwrap();
        let all = [queued, left, deploying, done];
        for (i, before) in all.iter().enumerate() {
            for (j, after) in all.iter().enumerate() {
                assert_eq!(follows(before, after), i <= j, "{i} {j}");
            }
        }
    }
}
