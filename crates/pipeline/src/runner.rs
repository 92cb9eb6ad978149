//! Which workers there are, and how they start and stop.
//!
//! Uploads, builds, and the looks at versions have workers of their own, so that a long build holds neither an upload up nor
//! a version that is taken as it is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use offprint_functions::FunctionRuntime;
use offprint_sandbox::remove_tree;
use offprint_store::{Clock, SoleWorker, Store, StoreError, Wake};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::feedback::{Feedback, FeedbackOptions};
use crate::ingest::blocking;
use crate::poll::Poller;
use crate::stages::deploy::Deployer;
use crate::stages::{BuildOptions, Builds};
use crate::variants::Compressor;
use crate::verify::{FetchRoot, Ways};
use crate::versions::Collector;
use crate::webhooks::Teller;
use crate::worker::{Task, Worker};

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
        self.start_worker(format!("{}-version", std::process::id()), Task::Versions);
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
            collector: Collector {
                store: self.store.clone(),
                wake: self.wake.clone(),
                builds: self.options.builds.is_some(),
            },
            store: self.store.clone(),
            wake: self.wake.clone(),
            options: self.options.clone(),
            stop: self.stop.clone(),
        };
        self.workers.spawn(worker.run());
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
