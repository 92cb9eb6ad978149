//! The workers that claim jobs and see them through.
//!
//! Uploads and builds have workers of their own, so that a long build never holds an upload up.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use offprint_functions::FunctionRuntime;
use offprint_sandbox::remove_tree;
use offprint_store::{Clock, JobKind, Lease, SoleWorker, Store, StoreError, Wake};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::builds_off;
use crate::feedback::{Feedback, FeedbackOptions};
use crate::ingest::blocking;
use crate::poll::Poller;
use crate::stages::deploy::{self, Deployer};
use crate::stages::{BuildOptions, Builds, StageError};
use crate::variants::Compressor;
use crate::verify::{FetchRoot, Ways};
use crate::versions::VersionBuilder;
use crate::webhooks::Teller;

/// How often a running build asks whether it is still wanted: so long does it live at the most after it was canceled.
const STILL_WANTED: Duration = Duration::from_millis(300);
/// How often the build caches are looked through for what is old.
const SWEEP: Duration = Duration::from_secs(600);

/// How the pipeline works.
#[derive(Clone)]
pub struct PipelineOptions {
    /// How many uploads are deployed at once.
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
    /// What runs Functions: those of a deployment are started once before it goes live. `None`: they are not.
    pub functions: Option<Arc<dyn FunctionRuntime>>,
    /// How builds run; `None`: this server does not build, and says so to whoever asks for a build.
    pub builds: Option<BuildOptions>,
    /// How often repositories without webhooks are looked at, where projects ask for it and this server builds;
    /// `None`: never.
    pub poll_interval: Option<Duration>,
    /// How forges are told of deployments; `None`: they are not.
    pub feedback: Option<FeedbackOptions>,
    /// How a deployment is looked at once it is live; `None`: it is not.
    pub fetch_root: Option<FetchRoot>,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            // More than there is to do: the Functions of some may be long in starting, and the others shall not wait.
            workers: 4,
            lease_ttl: Duration::from_secs(30),
            idle: Duration::from_secs(1),
            attempts_max: 5,
            variants: true,
            functions: None,
            builds: None,
            poll_interval: None,
            feedback: None,
            fetch_root: None,
        }
    }
}

impl PipelineOptions {
    /// The ways out of the house that deploys take.
    fn ways(&self) -> Ways {
        let may_reach = self.feedback.as_ref().map(|feedback| feedback.may_reach.clone());
        Ways { fetch_root: self.fetch_root.clone(), may_reach }
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
        let crew = Crew { store, wake, options, stop: stop.clone(), workers: workers.clone() };
        crew.start_uploads();
        crew.start_builds(sole.is_some()).await;
        crew.start_background();
        workers.close();
        Ok(Self { stop, workers, _sole: sole })
    }

    /// Claims no further job and waits for the uploads that run. Builds are ended and given back, to begin anew when
    /// there is a server again; a blob that is being compressed is given up.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.workers.wait().await;
    }
}

/// Starts the workers.
struct Crew {
    store: Store,
    wake: Wake,
    options: PipelineOptions,
    stop: CancellationToken,
    workers: TaskTracker,
}

impl Crew {
    fn start_uploads(&self) {
        for number in 0..self.options.workers {
            self.start_worker(format!("{}-{number}", std::process::id()), Task::Uploads);
        }
    }

    async fn start_builds(&self, sole: bool) {
        let Some(options) = &self.options.builds else {
            self.start_worker(format!("{}-build", std::process::id()), Task::BuildsOff);
            return;
        };
        if sole {
            // What a killed server has left. Its processes have died with it.
            let left = options.work_dir.clone();
            if let Err(error) = blocking(move || remove_all_in(&left)).await {
                tracing::warn!(%error, "cannot remove the directories of earlier builds");
            }
        }
        let builds = Arc::new(Builds::new(self.deployer(), options.clone()));
        for number in 0..options.workers {
            let name = format!("{}-build-{number}", std::process::id());
            self.start_worker(name, Task::Builds(Arc::clone(&builds)));
        }
        self.workers.spawn(sweep_caches(Arc::clone(&builds), self.stop.clone()));
        if let Some(interval) = self.options.poll_interval {
            let poller = Poller::new(self.store.clone(), self.wake.clone(), options.clone(), interval);
            self.workers.spawn(poller.run(self.stop.clone()));
        }
    }

    fn start_background(&self) {
        let versions = VersionBuilder {
            store: self.store.clone(),
            wake: self.wake.clone(),
            idle: self.options.idle,
            lease_ttl: self.options.lease_ttl,
            stop: self.stop.clone(),
        };
        self.workers.spawn(versions.run());
        let teller = Teller {
            store: self.store.clone(),
            idle: self.options.idle,
            may_reach: self.options.ways().may_reach,
            stop: self.stop.clone(),
        };
        self.workers.spawn(teller.run());
        if self.options.variants {
            let compressor = Compressor {
                store: self.store.clone(),
                wake: self.wake.clone(),
                idle: self.options.idle,
                attempts_max: self.options.attempts_max,
                stop: self.stop.clone(),
            };
            self.workers.spawn(compressor.run());
        }
        if let Some(options) = &self.options.feedback {
            let feedback = Feedback::new(self.store.clone(), self.wake.clone(), options.clone());
            self.workers.spawn(feedback.run(self.stop.clone()));
        }
    }

    fn deployer(&self) -> Deployer {
        Deployer {
            store: self.store.clone(),
            wake: self.wake.clone(),
            functions: self.options.functions.clone(),
            ways: self.options.ways(),
        }
    }

    fn start_worker(&self, name: String, task: Task) {
        let worker = Worker {
            name,
            task,
            deployer: self.deployer(),
            store: self.store.clone(),
            wake: self.wake.clone(),
            options: self.options.clone(),
            stop: self.stop.clone(),
        };
        self.workers.spawn(worker.run());
    }
}

/// What a worker does.
enum Task {
    /// Deploys uploads.
    Uploads,
    /// Builds.
    Builds(Arc<Builds>),
    /// Tells whoever wants a build that there are none here.
    BuildsOff,
}

struct Worker {
    name: String,
    task: Task,
    deployer: Deployer,
    store: Store,
    wake: Wake,
    options: PipelineOptions,
    stop: CancellationToken,
}

impl Worker {
    async fn run(self) {
        while !self.stop.is_cancelled() {
            match self.claim().await {
                Ok(Some(lease)) => self.see_through(&lease).await,
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

    async fn claim(&self) -> Result<Option<Lease>, StoreError> {
        let (kind, per_account) = match &self.task {
            Task::Uploads => (JobKind::Upload, None),
            Task::Builds(builds) => (JobKind::Build, builds.options.per_account),
            Task::BuildsOff => (JobKind::Build, None),
        };
        self.store.claim_job(&self.name, kind, self.options.lease_ttl, per_account).await
    }

    /// Runs one job. A fault of ours leaves the lease to expire, and the job is claimed again.
    async fn see_through(&self, lease: &Lease) {
        // A build has to be ended in order before anybody else may begin it; an upload may be dropped anywhere.
        let stop = self.stop.child_token();
        let mut job = std::pin::pin!(self.job(lease, &stop));
        let outcome = tokio::select! {
            outcome = &mut job => outcome,
            lost = self.keep(lease) => match &self.task {
                Task::Uploads | Task::BuildsOff => Err(lost.into()),
                Task::Builds(_) => {
                    stop.cancel();
                    job.await
                }
            },
        };
        self.end(lease, outcome).await;
    }

    async fn job(&self, lease: &Lease, stop: &CancellationToken) -> Result<(), StageError> {
        let given_up = lease.attempt() > self.options.attempts_max;
        match &self.task {
            _ if given_up => Ok(deploy::give_up(&self.store, lease).await?),
            Task::Uploads => Ok(self.deployer.run(lease).await?),
            Task::Builds(builds) => builds.run(lease, stop).await,
            Task::BuildsOff => Ok(builds_off::run(&self.deployer, lease).await?),
        }
    }

    async fn end(&self, lease: &Lease, outcome: Result<(), StageError>) {
        let deployment = lease.deployment_id();
        // The builds that this one has kept waiting for its account's share may have their turn.
        if matches!(self.task, Task::Builds(_)) {
            self.wake.pipeline();
        }
        match outcome {
            Ok(()) => {
                self.wake.edge();
                self.wake.feedback();
                tracing::info!(deployment.id = %deployment, "deployment ended");
            }
            Err(StageError::Stopped) if self.stop.is_cancelled() => {
                tracing::info!(deployment.id = %deployment, "the build is given back: the server stops");
                if let Err(error) = self.store.release(lease).await {
                    tracing::info!(%error, "the job cannot be given back; its lease will expire");
                }
            }
            Err(StageError::Stopped | StageError::Store(StoreError::LeaseLost)) => {
                tracing::info!(deployment.id = %deployment, "the job was canceled, deleted or went to another worker");
            }
            Err(error) => {
                let (attempt, cause) =
                    (lease.attempt(), std::error::Error::source(&error).map(ToString::to_string));
                tracing::error!(deployment.id = %deployment, attempt, %error, cause, "a job failed and will be retried");
                self.give_back(lease).await;
            }
        }
    }

    /// Renews the lease for as long as the job runs, and asks often whether a build is still wanted; returns only
    /// when the lease is lost or cannot be renewed.
    async fn keep(&self, lease: &Lease) -> StoreError {
        let interval = match self.task {
            Task::Builds(_) => STILL_WANTED.min(self.options.lease_ttl / 3),
            Task::Uploads | Task::BuildsOff => self.options.lease_ttl / 3,
        };
        let mut renewed = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(interval).await;
            let kept = if renewed.elapsed() >= self.options.lease_ttl / 3 {
                renewed = tokio::time::Instant::now();
                self.store.renew(lease, self.options.lease_ttl).await
            } else {
                match self.store.holds_lease(lease).await {
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
    async fn give_back(&self, lease: &Lease) {
        let pause = Duration::from_millis(200) * 2u32.saturating_pow(lease.attempt().min(6));
        if let Err(error) = self.store.renew(lease, pause).await {
            tracing::warn!(%error, "cannot give the job back; its lease will expire");
        }
    }
}

fn remove_all_in(directory: &Path) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        remove_tree(&entry?.path())?;
    }
    Ok(())
}

/// Removes from the build caches what is old or purged, at the start and now and then.
async fn sweep_caches(builds: Arc<Builds>, stop: CancellationToken) {
    loop {
        let swept = match builds.store.build_cache_epochs().await {
            Ok(epochs) => {
                let caches = builds.caches.clone();
                blocking(move || caches.sweep(&epochs, Clock::now())).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = swept {
            tracing::warn!(error, "cannot clean the build caches");
        }
        if stop.run_until_cancelled(tokio::time::sleep(SWEEP)).await.is_none() {
            return;
        }
    }
}
