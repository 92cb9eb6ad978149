//! The workers that claim jobs and see them through.

use std::time::Duration;

use offprint_store::{Lease, SoleWorker, Store, StoreError, Wake};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::deploy;
use crate::variants::Compressor;

/// How the pipeline works.
#[derive(Clone, Debug)]
pub struct PipelineOptions {
    /// How many jobs run at once.
    pub workers: usize,
    /// How long a lease lasts when its worker is not heard of.
    pub lease_ttl: Duration,
    /// How long an idle worker sleeps when nobody wakes it: bounds the wait for jobs of other processes
    /// and for leases that have expired.
    pub idle: Duration,
    /// How often a job is tried before its deployment is given up, when the fault is ours.
    pub attempts_max: u32,
    /// Whether compressed variants of what is served are made in the background. What was not made while this
    /// was off is made once it is on.
    pub variants: bool,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            workers: 2,
            lease_ttl: Duration::from_secs(30),
            idle: Duration::from_secs(1),
            attempts_max: 5,
            variants: true,
        }
    }
}

/// Running workers.
pub struct Pipeline {
    stop: CancellationToken,
    workers: TaskTracker,
    /// Held while the workers run; absent where another process works on the same store.
    _sole: Option<SoleWorker>,
}

impl Pipeline {
    /// Takes over what a killed process has left and starts the workers.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn start(store: Store, wake: Wake, options: PipelineOptions) -> Result<Self, StoreError> {
        let sole = store.take_over_jobs().await?;
        let stop = CancellationToken::new();
        let workers = TaskTracker::new();
        for number in 0..options.workers {
            let worker = Worker {
                name: format!("{}-{number}", std::process::id()),
                store: store.clone(),
                wake: wake.clone(),
                options: options.clone(),
            };
            workers.spawn(worker.run(stop.clone()));
        }
        if options.variants {
            let compressor = Compressor {
                store,
                wake,
                idle: options.idle,
                attempts_max: options.attempts_max,
                stop: stop.clone(),
            };
            workers.spawn(compressor.run());
        }
        workers.close();
        Ok(Self { stop, workers, _sole: sole })
    }

    /// Claims no further job and waits for those that run. A blob that is being compressed is given up.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.workers.wait().await;
    }
}

struct Worker {
    name: String,
    store: Store,
    wake: Wake,
    options: PipelineOptions,
}

impl Worker {
    async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.store.claim_job(&self.name, self.options.lease_ttl).await {
                Ok(Some(lease)) => self.see_through(&lease).await,
                Ok(None) => {
                    // A poke between the query and this wait is remembered by our clone of the handle.
                    tokio::select! {
                        () = self.wake.pipeline_woken() => {}
                        () = tokio::time::sleep(self.options.idle) => {}
                        () = stop.cancelled() => {}
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "cannot claim a job");
                    tokio::time::sleep(self.options.idle).await;
                }
            }
        }
    }

    /// Runs one job. A fault of ours leaves the lease to expire, and the job is claimed again.
    async fn see_through(&self, lease: &Lease) {
        let deployment = lease.deployment_id().clone();
        let given_up = lease.attempt() > self.options.attempts_max;
        let outcome = tokio::select! {
            outcome = async {
                if given_up { deploy::give_up(&self.store, lease).await } else { deploy::run(&self.store, lease).await }
            } => outcome,
            error = self.keep(lease) => Err(error),
        };
        match outcome {
            Ok(()) => {
                self.wake.edge();
                tracing::info!(deployment.id = %deployment, "deployment ended");
            }
            Err(StoreError::LeaseLost) => {
                tracing::info!(deployment.id = %deployment, "the job went to another worker or was deleted");
            }
            Err(error) => {
                let attempt = lease.attempt();
                tracing::error!(deployment.id = %deployment, attempt, %error, "a job failed and will be retried");
                self.give_back(lease).await;
            }
        }
    }

    /// Renews the lease for as long as the job runs; returns only when that fails.
    async fn keep(&self, lease: &Lease) -> StoreError {
        loop {
            tokio::time::sleep(self.options.lease_ttl / 3).await;
            if let Err(error) = self.store.renew(lease, self.options.lease_ttl).await {
                return error;
            }
        }
    }

    /// Lets the job be claimed again after a pause that grows with the attempts.
    async fn give_back(&self, lease: &Lease) {
        let pause = Duration::from_millis(200) * 2u32.saturating_pow(lease.attempt().min(6));
        if let Err(error) = self.store.renew(lease, pause).await {
            tracing::warn!(%error, "cannot give the job back; its lease will expire");
        }
    }
}
