//! The queue of versions that are to be built: who works on which.
//!
//! A version is looked at first, by whoever has time: one whose files are its site is taken as it is, which needs no
//! builder. One that needs a builder is handed on, and waits in one line with the builds of repositories, see
//! [`Store::claim_build`]. As with deployments, a claim leases the build for a time and adds one to its attempt, the fencing
//! number that every write names.
//!
//! What lost: to decide when the build is asked for, since only those who build know what needs building.

use std::time::Duration;

use offprint_model::deploy::RunStatus;

use crate::clock::Clock;
use crate::db::{Rows, Tx, values};
use crate::error::{Result, StoreError};
use crate::events::Actor;
use crate::history::end_build;
use crate::jobs::{after, fenced};
use crate::open::Store;

/// Receipt: the holder works on the build of a version. Made by [`Store::claim_version`] and [`Store::claim_build`] only.
#[derive(Clone, Debug)]
pub struct VersionLease {
    pub(super) build: i64,
    id: String,
    attempt: i64,
    looked: Option<i64>,
}

impl VersionLease {
    /// The id of the build.
    pub fn build_id(&self) -> &str {
        &self.id
    }

    /// How often the build has been begun, this time included. Looking at it does not count once it was handed on.
    pub fn attempt(&self) -> u32 {
        u32::try_from(self.attempt - self.looked.unwrap_or_default()).unwrap_or(u32::MAX)
    }
}

const NEXT: &str = "SELECT build_seq FROM build_job WHERE looked IS NULL AND lease_until <= $1
    ORDER BY lease_until, build_seq LIMIT 1";
const LEASE: &str = "UPDATE build_job SET attempt = attempt + 1, lease_until = $2 WHERE build_seq = $1
    RETURNING attempt, looked";
const ID: &str = "SELECT id FROM build WHERE seq = $1";
/// A lease that was given back has no time left; one that has run out is good until somebody else claims.
const HOLDS: &str =
    "SELECT build_seq FROM build_job WHERE build_seq = $1 AND attempt = $2 AND lease_until > 0";
const RENEW: &str =
    "UPDATE build_job SET lease_until = $3 WHERE build_seq = $1 AND attempt = $2 AND lease_until > 0";
const HAND_ON: &str = "UPDATE build_job SET looked = attempt, lease_until = 0
    WHERE build_seq = $1 AND attempt = $2 AND lease_until > 0";
const DONE: &str = "DELETE FROM build_job WHERE build_seq = $1 AND attempt = $2 AND lease_until > 0";
const DROP: &str = "DELETE FROM build_job WHERE build_seq = $1";
const OF_APP: &str = "SELECT v.build_seq FROM build_job v JOIN build b ON b.seq = v.build_seq
    WHERE b.project_seq = $1 ORDER BY v.build_seq";

impl Store {
    /// Leases the next version at which nobody has looked yet, the one that has waited longest. `None`: there is none now.
    pub async fn claim_version(&self, ttl: Duration) -> Result<Option<VersionLease>> {
        // Looking first keeps idle workers out of the writers' queue.
        if self.db().one(NEXT, values![Clock::now()]).await?.is_none() {
            return Ok(None);
        }
        let tx = self.db().write("claim_version").await?;
        let Some(row) = tx.one(NEXT, values![Clock::now()]).await? else { return Ok(None) };
        let lease = lease_version(&tx, row.get("build_seq")?, ttl).await?;
        tx.commit().await?;
        Ok(Some(lease))
    }

    /// Gives a version on to those who build, since its files are not its site yet.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn hand_to_builders(&self, lease: &VersionLease) -> Result<()> {
        self.change_version_job("hand_to_builders", HAND_ON, values![lease.build, lease.attempt]).await
    }

    pub(crate) async fn renew_version(&self, lease: &VersionLease, ttl: Duration) -> Result<()> {
        let until = after(Clock::now(), ttl);
        self.change_version_job("renew_version", RENEW, values![lease.build, lease.attempt, until]).await
    }

    pub(crate) async fn release_version(&self, lease: &VersionLease) -> Result<()> {
        self.change_version_job("release_version", RENEW, values![lease.build, lease.attempt, 0_i64]).await
    }

    pub(crate) async fn holds_version(&self, lease: &VersionLease) -> Result<bool> {
        Ok(self.db().one(HOLDS, values![lease.build, lease.attempt]).await?.is_some())
    }

    async fn change_version_job(
        &self,
        name: &'static str,
        sql: &'static str,
        values: Vec<sea_orm::Value>,
    ) -> Result<()> {
        let tx = self.db().write(name).await?;
        fenced(tx.run(sql, values).await?)?;
        tx.commit().await
    }
}

/// Leases the build of a version that waits.
pub(crate) async fn lease_version(tx: &Tx, build: i64, ttl: Duration) -> Result<VersionLease> {
    let leased = tx.returning(LEASE, values![build, after(Clock::now(), ttl)]).await?;
    let row = leased.first().ok_or(StoreError::LeaseLost)?;
    let id = tx.one(ID, values![build]).await?;
    let id = id.ok_or_else(|| StoreError::Corrupt("a job has no build".into()))?.get("id")?;
    Ok(VersionLease { build, id, attempt: row.get("attempt")?, looked: row.get("looked")? })
}

/// Makes sure that the holder of a lease is still the one who works on the build.
pub(super) async fn holds(rows: &impl Rows, lease: &VersionLease) -> Result<()> {
    let held = rows.one(HOLDS, values![lease.build, lease.attempt]).await?;
    held.map(drop).ok_or(StoreError::LeaseLost)
}

/// There is nothing left to be done for a build.
pub(super) async fn finish(tx: &Tx, lease: &VersionLease) -> Result<()> {
    fenced(tx.run(DONE, values![lease.build, lease.attempt]).await?)
}

/// Stops the build of a version: whoever works on it has lost the lease.
pub(super) async fn cancel(tx: &Tx, build: i64, reason: Option<&str>, actor: &Actor) -> Result<()> {
    tx.run(DROP, values![build]).await?;
    let why = reason.map_or_else(|| "Canceled.".to_owned(), |reason| format!("Canceled: {reason}"));
    end_build(tx, build, RunStatus::Cancelled, Some(&why), actor, Clock::now()).await.map(drop)
}

/// Stops all builds of versions of an app.
pub(super) async fn cancel_all(tx: &Tx, app: i64, reason: &str, actor: &Actor) -> Result<()> {
    for row in tx.all(OF_APP, values![app]).await? {
        cancel(tx, row.get("build_seq")?, Some(reason), actor).await?;
    }
    Ok(())
}
