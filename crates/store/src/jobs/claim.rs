//! The queues: claiming a job, keeping it, giving it back.
//!
//! Uploads and builds wait in queues of their own, so that a long build never holds an upload up. Builds of repositories
//! and of versions are kept in two tables, and wait in one line: previews come last, then the oldest comes first, and of
//! each account only so many run at once, of either kind. A version waits in that line only once somebody has seen that it
//! needs a builder, see [`Store::claim_version`].

use std::time::Duration;

use offprint_model::id::DeploymentId;

use super::{JobKind, Lease, after, fenced};
use crate::apps::{VersionLease, lease_version};
use crate::clock::Clock;
use crate::db::{Rows, Tx, values};
use crate::error::{Result, StoreError};
use crate::open::Store;

/// What a worker has claimed.
#[derive(Clone, Debug)]
pub enum Claim {
    /// A deployment, to be taken to its end.
    Deployment(Lease),
    /// A version, to be built.
    Version(VersionLease),
}

impl Claim {
    /// The id of the deployment, or of the version's build.
    pub fn id(&self) -> &str {
        match self {
            Self::Deployment(lease) => lease.deployment_id().as_str(),
            Self::Version(lease) => lease.build_id(),
        }
    }

    /// What it is when it is no version.
    pub fn deployment(self) -> Option<Lease> {
        match self {
            Self::Deployment(lease) => Some(lease),
            Self::Version(_) => None,
        }
    }

    /// How often this work has been begun, this time included.
    pub fn attempt(&self) -> u32 {
        match self {
            Self::Deployment(lease) => lease.attempt(),
            Self::Version(lease) => lease.attempt(),
        }
    }
}

const CLAIMABLE_UPLOAD: &str = "SELECT seq FROM job
    WHERE kind = 'upload' AND state IN ('ready', 'leased') AND lease_until <= $1 ORDER BY seq LIMIT 1";
/// $2 how many builds of one account may be leased.
const CLAIMABLE_BUILD: &str = "SELECT n.is_version, n.seq FROM (
        SELECT 1 = 0 AS is_version, j.seq, p.account_seq, d.environment <> 'production' AS is_preview, d.created
        FROM job j JOIN deployment d ON d.seq = j.deployment_seq JOIN project p ON p.seq = d.project_seq
        WHERE j.kind = 'build' AND j.state IN ('ready', 'leased') AND j.lease_until <= $1
        UNION ALL
        SELECT 1 = 1 AS is_version, v.build_seq, b.account_seq, 1 = 0 AS is_preview, b.created
        FROM build_job v JOIN build b ON b.seq = v.build_seq
        WHERE v.looked IS NOT NULL AND v.lease_until <= $1
    ) n WHERE n.account_seq NOT IN (SELECT o.account_seq FROM (
            SELECT q.account_seq FROM job k
            JOIN deployment e ON e.seq = k.deployment_seq JOIN project q ON q.seq = e.project_seq
            WHERE k.state = 'leased' AND k.lease_until > $1 AND k.kind = 'build'
            UNION ALL
            SELECT c.account_seq FROM build_job w JOIN build c ON c.seq = w.build_seq
            WHERE w.looked IS NOT NULL AND w.lease_until > $1
        ) o GROUP BY o.account_seq HAVING count(*) >= $2)
    ORDER BY n.is_preview, n.created, n.is_version, n.seq LIMIT 1";
const LEASE: &str = "UPDATE job SET state = 'leased', attempt = attempt + 1, lease_until = $2, worker = $3
    WHERE seq = $1 RETURNING seq, deployment_seq, deploy_seq, attempt";
const DEPLOYMENT_ID: &str = "SELECT id FROM deployment WHERE seq = $1";
pub(super) const HOLDS: &str = "SELECT seq FROM job WHERE seq = $1 AND attempt = $2 AND state = 'leased'";
const RENEW: &str = "UPDATE job SET lease_until = $3 WHERE seq = $1 AND attempt = $2 AND state = 'leased'";
const RELEASE: &str = "UPDATE job SET state = 'ready', lease_until = 0, worker = NULL
    WHERE seq = $1 AND attempt = $2 AND state = 'leased'";

impl Store {
    /// Leases the oldest upload that is free or whose lease has run out. `None`: there is none now.
    pub async fn claim_upload(&self, worker: &str, ttl: Duration) -> Result<Option<Lease>> {
        // Looking first keeps idle workers out of the writers' queue.
        if next_upload(self.db()).await?.is_none() {
            return Ok(None);
        }
        let tx = self.db().write("claim_upload").await?;
        let Some(job) = next_upload(&tx).await? else { return Ok(None) };
        let lease = lease_job(&tx, job, JobKind::Upload, worker, ttl).await?;
        tx.commit().await?;
        Ok(Some(lease))
    }

    /// Leases the next build, whether of a repository or of a version, that is free or whose lease has run out: those for
    /// production first, then the oldest, leaving out accounts of which `per_account` builds are leased already. A version
    /// counts as production. `None`: there is none now.
    pub async fn claim_build(
        &self,
        worker: &str,
        ttl: Duration,
        per_account: Option<u32>,
    ) -> Result<Option<Claim>> {
        if next_build(self.db(), per_account).await?.is_none() {
            return Ok(None);
        }
        let tx = self.db().write("claim_build").await?;
        let claim = match next_build(&tx, per_account).await? {
            None => return Ok(None),
            Some(Next::Job(job)) => {
                Claim::Deployment(lease_job(&tx, job, JobKind::Build, worker, ttl).await?)
            }
            Some(Next::Version(build)) => Claim::Version(lease_version(&tx, build, ttl).await?),
        };
        tx.commit().await?;
        Ok(Some(claim))
    }

    /// Makes the lease of a claim end so long from now.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn renew_claim(&self, claim: &Claim, ttl: Duration) -> Result<()> {
        match claim {
            Claim::Deployment(lease) => self.renew(lease, ttl).await,
            Claim::Version(lease) => self.renew_version(lease, ttl).await,
        }
    }

    /// Gives what was claimed back unfinished, to be claimed at once, as when this process is to end.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn release_claim(&self, claim: &Claim) -> Result<()> {
        match claim {
            Claim::Deployment(lease) => self.release(lease).await,
            Claim::Version(lease) => self.release_version(lease).await,
        }
    }

    /// Whether a claim is still good. Cheap: to be asked a few times a second while something runs that is to end when
    /// what it is for is canceled or deleted.
    pub async fn holds_claim(&self, claim: &Claim) -> Result<bool> {
        match claim {
            Claim::Deployment(lease) => self.holds_lease(lease).await,
            Claim::Version(lease) => self.holds_version(lease).await,
        }
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

    /// Whether the lease is still good, see [`Store::holds_claim`].
    pub async fn holds_lease(&self, lease: &Lease) -> Result<bool> {
        Ok(self.db().one(HOLDS, values![lease.job, lease.attempt]).await?.is_some())
    }
}

/// The build that comes next.
enum Next {
    /// The number of a deployment's job.
    Job(i64),
    /// The number of a version's build.
    Version(i64),
}

async fn next_upload(rows: &impl Rows) -> Result<Option<i64>> {
    let row = rows.one(CLAIMABLE_UPLOAD, values![Clock::now()]).await?;
    row.map(|row| row.get("seq")).transpose()
}

async fn next_build(rows: &impl Rows, per_account: Option<u32>) -> Result<Option<Next>> {
    let most = per_account.map_or(i64::MAX, i64::from);
    let Some(row) = rows.one(CLAIMABLE_BUILD, values![Clock::now(), most]).await? else {
        return Ok(None);
    };
    let seq = row.get("seq")?;
    Ok(Some(if row.get::<bool>("is_version")? { Next::Version(seq) } else { Next::Job(seq) }))
}

async fn lease_job(tx: &Tx, job: i64, kind: JobKind, worker: &str, ttl: Duration) -> Result<Lease> {
    let claimed = tx.returning(LEASE, values![job, after(Clock::now(), ttl), worker]).await?;
    let row = claimed.first().ok_or(StoreError::LeaseLost)?;
    let deployment_seq: i64 = row.get("deployment_seq")?;
    let id = tx.one(DEPLOYMENT_ID, values![deployment_seq]).await?;
    let id: String = id.ok_or_else(|| StoreError::Corrupt("a job has no deployment".into()))?.get("id")?;
    Ok(Lease {
        job: row.get("seq")?,
        deployment_seq,
        deployment: DeploymentId::new(id),
        order: row.get("deploy_seq")?,
        attempt: row.get("attempt")?,
        kind,
    })
}
