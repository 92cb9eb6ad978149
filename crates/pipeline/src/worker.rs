//! A worker: claims jobs of one queue and sees them through, one after the other.

use std::sync::Arc;
use std::time::Duration;

use offprint_store::{Claim, Store, StoreError, Wake};
use tokio_util::sync::CancellationToken;

use crate::builds_off;
use crate::runner::PipelineOptions;
use crate::stages::deploy::{self, Deployer};
use crate::stages::{Builds, StageError};
use crate::versions::{self, Collector};

/// How often a running build asks whether it is still wanted: so long does it live at the most after it was canceled.
const STILL_WANTED: Duration = Duration::from_millis(300);

/// What a worker does.
pub(crate) enum Task {
    /// Deploys uploads.
    Uploads,
    /// Looks at versions.
    Versions,
    /// Builds.
    Builds(Arc<Builds>),
    /// Tells whoever wants a build that there are none here.
    BuildsOff,
}

pub(crate) struct Worker {
    pub(crate) name: String,
    pub(crate) task: Task,
    pub(crate) deployer: Deployer,
    pub(crate) collector: Collector,
    pub(crate) store: Store,
    pub(crate) wake: Wake,
    pub(crate) options: PipelineOptions,
    pub(crate) stop: CancellationToken,
}

impl Worker {
    pub(crate) async fn run(self) {
        while !self.stop.is_cancelled() {
            match self.claim().await {
                Ok(Some(claim)) => self.see_through(&claim).await,
                Ok(None) => {
                    // A poke between the query and this wait is remembered by our clone of the handle.
                    tokio::select! {
                        () = self.wake.pipeline_woken() => {}
                        () = tokio::time::sleep(self.options.idle) => {}
                        () = self.stop.cancelled() => {}
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "cannot claim a job");
                    tokio::time::sleep(self.options.idle).await;
                }
            }
        }
    }

    async fn claim(&self) -> Result<Option<Claim>, StoreError> {
        let (store, name, ttl) = (&self.store, self.name.as_str(), self.options.lease_ttl);
        Ok(match &self.task {
            Task::Uploads => store.claim_upload(name, ttl).await?.map(Claim::Deployment),
            Task::Versions => store.claim_version(ttl).await?.map(Claim::Version),
            Task::Builds(builds) => store.claim_build(name, ttl, builds.options.per_account).await?,
            Task::BuildsOff => store.claim_build(name, ttl, None).await?,
        })
    }

    /// Runs one job. A fault of ours leaves the lease to expire, and the job is claimed again.
    async fn see_through(&self, claim: &Claim) {
        // A build has to be ended in order before anybody else may begin it; anything else may be dropped anywhere.
        let stop = self.stop.child_token();
        let mut job = std::pin::pin!(self.job(claim, &stop));
        let outcome = tokio::select! {
            outcome = &mut job => outcome,
            lost = self.keep(claim) => match &self.task {
                Task::Uploads | Task::Versions | Task::BuildsOff => Err(lost.into()),
                Task::Builds(_) => {
                    stop.cancel();
                    job.await
                }
            },
        };
        self.end(claim, outcome).await;
    }

    async fn job(&self, claim: &Claim, stop: &CancellationToken) -> Result<(), StageError> {
        let is_given_up = claim.attempt() > self.options.attempts_max;
        let done = match (&self.task, claim) {
            (_, Claim::Deployment(lease)) if is_given_up => deploy::give_up(&self.store, lease).await,
            (_, Claim::Version(lease)) if is_given_up => versions::give_up(&self.store, lease).await,
            (Task::Builds(builds), claim) => return builds.run(claim, stop).await,
            (Task::BuildsOff, claim) => builds_off::run(&self.deployer, claim).await,
            (Task::Uploads | Task::Versions, Claim::Deployment(lease)) => self.deployer.run(lease).await,
            (Task::Uploads | Task::Versions, Claim::Version(lease)) => self.collector.run(lease).await,
        };
        Ok(done?)
    }

    async fn end(&self, claim: &Claim, outcome: Result<(), StageError>) {
        let id = claim.id();
        // The builds that this one has kept waiting for its account's share may have their turn.
        if matches!(self.task, Task::Builds(_)) {
            self.wake.pipeline();
        }
        match outcome {
            Ok(()) => {
                self.wake.edge();
                self.wake.feedback();
                tracing::info!(job.id = %id, "job ended");
            }
            Err(StageError::Stopped) if self.stop.is_cancelled() => {
                tracing::info!(job.id = %id, "the build is given back: the server stops");
                if let Err(error) = self.store.release_claim(claim).await {
                    tracing::info!(%error, "the job cannot be given back; its lease will expire");
                }
            }
            Err(StageError::Stopped | StageError::Store(StoreError::LeaseLost)) => {
                tracing::info!(job.id = %id, "the job was canceled, deleted or went to another worker");
            }
            Err(error) => {
                let (attempt, cause) =
                    (claim.attempt(), std::error::Error::source(&error).map(ToString::to_string));
                tracing::error!(job.id = %id, attempt, %error, cause, "a job failed and will be retried");
                self.give_back(claim).await;
            }
        }
    }

    /// Renews the lease for as long as the job runs, and asks often whether a build is still wanted; returns only
    /// when the lease is lost or cannot be renewed.
    async fn keep(&self, claim: &Claim) -> StoreError {
        let interval = match self.task {
            Task::Builds(_) => STILL_WANTED.min(self.options.lease_ttl / 3),
            Task::Uploads | Task::Versions | Task::BuildsOff => self.options.lease_ttl / 3,
        };
        let mut renewed = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(interval).await;
            let kept = if renewed.elapsed() >= self.options.lease_ttl / 3 {
                renewed = tokio::time::Instant::now();
                self.store.renew_claim(claim, self.options.lease_ttl).await
            } else {
                match self.store.holds_claim(claim).await {
                    Ok(false) => Err(StoreError::LeaseLost),
                    // A look that failed says nothing; the renewal decides.
                    Ok(true) | Err(_) => Ok(()),
                }
            };
            if let Err(error) = kept {
                return error;
            }
        }
    }

    /// Lets the job be claimed again after a pause that grows with the attempts.
    async fn give_back(&self, claim: &Claim) {
        let pause = Duration::from_millis(200) * 2u32.saturating_pow(claim.attempt().min(6));
        if let Err(error) = self.store.renew_claim(claim, pause).await {
            tracing::warn!(%error, "cannot give the job back; its lease will expire");
        }
    }
}
