//! The queue: who works on which deployment, and the work's steps.
//!
//! A claim leases the job for a time and adds one to its attempt, which is the fencing number: every write of
//! a worker names it, in the SQL of the write. A worker that slept through the end of its lease may go on as
//! long as nobody else has claimed the job; from then on each of its writes changes nothing and says
//! `LeaseLost`.
//!
//! `claim` has the queues; the other files are what only some workers do.

mod activate;
mod build;
mod claim;
mod steps;

pub use activate::Verified;
pub use claim::Claim;
pub use steps::{PagesTarget, StepReport};

use std::time::Duration;

use offprint_model::deploy::RunStatus;
use offprint_model::deployment::{Deployment, LogLine};
use offprint_model::id::DeploymentId;
use offprint_model::stages::{StageName, StageStatus, Stages};
use offprint_model::time::Timestamp;

use crate::apps::pages_target;
use crate::assets::hash_of;
use crate::clock::Clock;
use crate::db::{Rows, Tx, values};
use crate::deployments::{by_seq, end_history};
use crate::error::{Result, StoreError};
use crate::events::Actor;
use crate::feedback::note_feedback;
use crate::history::{deploy_running, follow_build};
use crate::open::Store;
use crate::projects::{json, load_scoped};
use crate::site::{SiteDocument, SiteHash};
use crate::source::{SourceCredentials, credentials_of};
use crate::sql;
use crate::stored::{stages_from_json, stages_to_json};

/// Which workers a deployment needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// Its content is here already.
    Upload,
    /// Its content is to be built from the project's repository.
    Build,
}

impl JobKind {
    /// The name that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Build => "build",
        }
    }
}

/// Receipt: the holder works on this job. Made by [`Store::claim_upload`] and [`Store::claim_build`] only.
#[derive(Clone, Debug)]
pub struct Lease {
    job: i64,
    deployment_seq: i64,
    deployment: DeploymentId,
    order: i64,
    attempt: i64,
    kind: JobKind,
}

impl Lease {
    /// Which queue the job came from.
    pub const fn kind(&self) -> JobKind {
        self.kind
    }

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
    /// The deployment, with the stages as an earlier attempt may have left them. Its commit is empty where the
    /// head of its branch is to be built, see [`Store::set_commit`].
    pub deployment: Deployment,
    /// Its content and the content's name. A build has none until [`Store::attach_content`], and may have that of
    /// an earlier attempt.
    pub content: Option<(SiteHash, SiteDocument)>,
    /// Whether what is to be built is a stranger's. Its settings hold no secrets then, and it must not write into
    /// the build cache.
    pub untrusted: bool,
    /// The pull request that it is built for: a fork's commit is found at the forge's reference for that.
    pub pull_request: Option<u64>,
    /// How the repository is reached: token, key and known hosts, for builds. Nothing that comes out of the
    /// repository may see them.
    pub credentials: Option<SourceCredentials>,
    /// The number of the build cache: what was cached under another must not be used.
    pub cache_epoch: u64,
    /// The other server to which it goes as well, where its app says so.
    pub target: Option<PagesTarget>,
}

const WORK: &str =
    "SELECT d.untrusted, d.pull_request, d.project_seq, p.cache_epoch, p.target, p.public_id, s.hash,
        EXISTS (SELECT 1 FROM deploy_step r WHERE r.deploy_seq = $2 AND r.name = 'poll') AS is_remote
    FROM deployment d JOIN project p ON p.seq = d.project_seq LEFT JOIN site s ON s.id = d.site_id
    WHERE d.seq = $1";
const FINISH: &str = "UPDATE job SET state = 'done', lease_until = 0
    WHERE seq = $1 AND attempt = $2 AND state = 'leased'";
const SITE: &str = "SELECT site_id FROM deployment WHERE seq = $1";
const STAGES: &str =
    "SELECT stages, build_seq FROM deployment WHERE seq = $1 AND ended IS NULL AND deleted IS NULL";
const SET_STAGES: &str = "UPDATE deployment SET stages = $2, modified = $3, ended = $4 WHERE seq = $1
    AND ended IS NULL AND EXISTS
        (SELECT 1 FROM job WHERE job.seq = $5 AND job.attempt = $6 AND job.state = 'leased')";
const LAST_LINE: &str = "SELECT text FROM log WHERE deployment_seq = $1 ORDER BY n DESC LIMIT 1";

impl Store {
    /// What there is to do.
    ///
    /// # Errors
    /// `LeaseLost`; `NotFound(Blob)` and `Corrupt` when the document is lost.
    pub async fn work(&self, lease: &Lease) -> Result<Work> {
        let tx = self.db().read().await?;
        holds(&tx, lease).await?;
        let deployment = by_seq(&tx, self.keys(), lease.deployment_seq).await?;
        let row =
            tx.one(WORK, values![lease.deployment_seq, lease.order]).await?.ok_or(StoreError::LeaseLost)?;
        let site = row.get::<Option<Vec<u8>>>("hash")?.map(hash_of).transpose()?;
        let credentials = match lease.kind {
            JobKind::Upload => None,
            JobKind::Build => {
                let (scope, _) = load_scoped(&tx, self.keys(), row.get("project_seq")?).await?;
                let all = credentials_of(&tx, self.keys(), &scope).await?;
                Some(SourceCredentials { webhook_secret: None, ..all })
            }
        };
        drop(tx);
        let content = match site.map(SiteHash::of_document) {
            None => None,
            Some(site) => Some((site, self.load_site(&site).await?)),
        };
        Ok(Work {
            deployment,
            content,
            untrusted: row.get("untrusted")?,
            pull_request: row
                .get::<Option<i64>>("pull_request")?
                .and_then(|number| u64::try_from(number).ok()),
            credentials,
            cache_epoch: u64::try_from(row.get::<i64>("cache_epoch")?).unwrap_or_default(),
            target: match row.get::<Option<String>>("target")? {
                // Where it goes was settled when it was asked for; a target that was taken away is not missed.
                Some(target) if row.get("is_remote")? => {
                    Some(pages_target(&target, self.keys(), &row.get::<String>("public_id")?)?)
                }
                _ => None,
            },
        })
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
        tx.run(sql::APPEND_LOG.of(tx.engine()), values![lease.deployment_seq, json(&lines)?]).await?;
        tx.commit().await
    }

    /// Proves that every byte of the deployment is stored: each blob of the manifest, the Worker and the
    /// document have a row, a pin, and a file of their length. A site that was sealed before is believed,
    /// since pins keep its blobs.
    ///
    /// # Errors
    /// `LeaseLost`; `Unsealed` when a blob is lost; `IllegalStages` when a build has no content yet.
    pub async fn seal(&self, lease: &Lease) -> Result<Sealed> {
        holds(self.db(), lease).await?;
        let row = self.db().one(SITE, values![lease.deployment_seq]).await?.ok_or(StoreError::LeaseLost)?;
        let site_id: Option<i64> = row.get("site_id")?;
        let site_id = site_id.ok_or(StoreError::IllegalStages("there is no content to be sealed"))?;
        self.check_seal(site_id).await?;
        Ok(Sealed { deployment_seq: lease.deployment_seq, site_id })
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
        let last = tx.one(LAST_LINE, values![lease.deployment_seq]).await?;
        let last = last.map(|row| row.get::<String>("text")).transpose()?;
        let why = last.as_deref().map(|line| line.strip_prefix("Error: ").unwrap_or(line));
        let system = Actor::default();
        end_history(&tx, lease.deployment_seq, RunStatus::Failed, why, &system, now).await?;
        finish(&tx, lease).await?;
        tx.commit().await
    }
}

async fn holds(rows: &impl Rows, lease: &Lease) -> Result<()> {
    let held = rows.one(claim::HOLDS, values![lease.job, lease.attempt]).await?;
    held.map(drop).ok_or(StoreError::LeaseLost)
}

async fn write_stages(tx: &Tx, lease: &Lease, stages: Stages, now: Timestamp) -> Result<()> {
    holds(tx, lease).await?;
    let row = tx.one(STAGES, values![lease.deployment_seq]).await?.ok_or(StoreError::LeaseLost)?;
    let before = stages_from_json(&row.get::<String>("stages")?)?;
    if !follows(&before, &stages) {
        return Err(StoreError::IllegalStages("stages only go forward"));
    }
    let ended = stages.is_terminal().then_some(now);
    let json = stages_to_json(&stages)?;
    let values = values![lease.deployment_seq, json, now, ended, lease.job, lease.attempt];
    fenced(tx.run(SET_STAGES, values).await?)?;
    if lease.kind == JobKind::Build {
        follow_build(tx, row.get("build_seq")?, &before, &stages, now).await?;
        note_feedback(tx, lease.deployment_seq, now).await?;
    }
    if stages.get(StageName::Deploy).status == StageStatus::Active {
        deploy_running(tx, lease.order, now).await?;
    }
    Ok(())
}

async fn finish(tx: &Tx, lease: &Lease) -> Result<()> {
    fenced(tx.run(FINISH, values![lease.job, lease.attempt]).await?)
}

pub(crate) const fn fenced(changed: u64) -> Result<()> {
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
