//! From a request to a process that can answer it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use offprint_store::StoreError;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Inner;
use super::config::Config;
use super::counters::Counters;
use super::deployment::{Deployment, Flight, Live};
use super::outlets::Owner;
use super::process::{Launch, NotStarted, Process, Verdict};
use super::progress::Progress;
use super::room::{Full, Room};
use crate::egress::Allowance;
use crate::key::DeploymentKey;
use crate::pages::{self, Page};
use crate::plan::{NoPlan, Plan};
use crate::runtime::CheckFailure;
use crate::tail::Wants;

/// For so long others wait for the start of a process, when many start at once; none takes as long, unless it is not in
/// order.
const OTHERS_WAIT: Duration = Duration::from_secs(1);

/// For so long visitors wait for a deployment that is left alone.
const PATIENCE: Duration = Duration::from_millis(250);

/// Why no process runs for a request.
#[derive(Debug)]
pub(super) enum NotRunning {
    /// What the deployment consists of cannot run: lines for its author.
    Refused(Vec<String>),
    /// It has crashed too often, and is left alone for this long.
    BacksOff(Duration),
    /// There are as many requests or processes as there may be.
    Busy {
        /// What the project wants then.
        fail_open: bool,
    },
    /// It is not there any more, or has no Functions.
    Gone,
    /// This machine is at fault.
    Failed(String),
}

impl NotRunning {
    /// Whether assets are to be served instead.
    pub(super) fn fails_open(&self) -> bool {
        matches!(self, Self::Busy { fail_open: true })
    }

    /// What visitors are told.
    pub(super) fn page(&self) -> Page {
        match self {
            Self::Refused(_) => pages::NOT_STARTED,
            Self::BacksOff(_) => pages::BACKS_OFF,
            Self::Busy { .. } => pages::BUSY,
            Self::Gone => pages::GONE,
            Self::Failed(_) => pages::FAILED,
        }
    }
}

impl From<NoPlan> for NotRunning {
    fn from(error: NoPlan) -> Self {
        match error {
            NoPlan::NoFunctions | NoPlan::Store(StoreError::NotFound(_)) => Self::Gone,
            NoPlan::Store(error) => Self::Failed(error.to_string()),
            NoPlan::Bundle(error) => Self::Refused(vec![error.to_string()]),
            NoPlan::Unusable(line) => Self::Refused(vec![line]),
        }
    }
}

impl Inner {
    /// Takes a request in; starts a process when there is none.
    pub(super) async fn flight(
        self: &Arc<Self>,
        key: &DeploymentKey,
        wants: Wants,
    ) -> Result<Flight, NotRunning> {
        let deployment = self.deployment(key);
        if let Some(flight) = deployment.enter(wants) {
            return Ok(flight);
        }
        // In a task: a visitor who leaves does not take the start away from the others that wait for it.
        let inner = Arc::clone(self);
        let starting = tokio::spawn(async move { inner.start_once(&deployment, wants).await });
        starting.await.unwrap_or_else(|error| Err(NotRunning::Failed(error.to_string())))
    }

    /// The same, for a visitor, who does not learn at once that a deployment is left alone: that may be over in a
    /// moment, and being asked again and again as fast as it goes would cost others more than the Function itself.
    pub(super) async fn patient_flight(
        self: &Arc<Self>,
        key: &DeploymentKey,
        wants: Wants,
    ) -> Result<Flight, NotRunning> {
        let flight = self.flight(key, wants).await;
        let Err(NotRunning::BacksOff(pause)) = flight else { return flight };
        sleep(pause.min(PATIENCE)).await;
        if pause > PATIENCE { flight } else { self.flight(key, wants).await }
    }

    async fn start_once(
        self: &Arc<Self>,
        deployment: &Arc<Deployment>,
        wants: Wants,
    ) -> Result<Flight, NotRunning> {
        // Whoever waits behind others who wait in vain shall not do so for longer than they.
        let until = Instant::now() + self.limits.start;
        let alone = timeout_at(until + self.limits.start, deployment.starting.lock()).await;
        if let Some(flight) = deployment.enter(wants) {
            return Ok(flight);
        }
        let Ok(_alone) = alone else {
            return Err(NotRunning::Busy { fail_open: self.fails_open(&deployment.key).await });
        };
        if deployment.is_deleted() || self.stop.is_cancelled() {
            return Err(NotRunning::Gone);
        }
        if let Some(pause) = deployment.backs_off() {
            return Err(NotRunning::BacksOff(pause));
        }
        let plan = Plan::load(&self.store, &self.url_of, &deployment.key).await?;
        let busy = NotRunning::Busy { fail_open: plan.fail_open };
        let evict = |full| self.evict(full, &deployment.key);
        let room = self.rooms.make(&deployment.key.project, until, evict).await.map_err(|_| busy)?;
        // Somebody watches, and all that run are quiet.
        let live = match deployment.live() {
            Some(live) => live,
            None => self.prepare(plan).await?,
        };
        self.start_process(deployment, live, room, false).await
    }

    /// Writes what a deployment's processes are started with.
    async fn prepare(self: &Arc<Self>, plan: Plan) -> Result<Live, NotRunning> {
        let inner = Arc::clone(self);
        let heap_bytes = self.limits.memory_bytes / 2;
        let written = spawn_blocking(move || {
            let config = Config::new(&plan, &inner.program, heap_bytes);
            let directory = inner.directories.create(&config)?;
            Ok::<_, std::io::Error>((plan, config, directory))
        });
        let (plan, mut config, directory) = written
            .await
            .map_err(|error| NotRunning::Failed(error.to_string()))?
            .map_err(|error| NotRunning::Failed(format!("cannot write the files of Functions: {error}")))?;
        // They are on the disk now.
        config.files.clear();
        Ok(Live {
            plan: Arc::new(plan),
            config: Arc::new(config),
            directory: Arc::new(directory),
            allowance: Arc::new(Allowance::new(&self.limits)),
            processes: Vec::new(),
        })
    }

    /// Starts a process, and looks after its end.
    pub(super) async fn start_process(
        self: &Arc<Self>,
        deployment: &Arc<Deployment>,
        live: Live,
        room: Room,
        is_quiet: bool,
    ) -> Result<Flight, NotRunning> {
        let launch = Launch {
            program: &self.program,
            sandbox: &self.sandbox,
            house: &self.house,
            limits: &self.limits,
            config: &live.config,
            flags: &live.plan.compatibility_flags,
            directory: Arc::clone(&live.directory),
            owner: Owner {
                key: deployment.key.clone(),
                allowance: Arc::clone(&live.allowance),
                progress: Progress::default(),
            },
            room,
            is_quiet,
        };
        let started = in_turn(&self.starts, Process::start(launch)).await;
        self.counters.started(started.is_ok());
        let process = started.map_err(|error| match error {
            NotStarted::Refused(lines) => {
                deployment.did_not_start();
                NotRunning::Refused(lines)
            }
            NotStarted::Failed(reason) => {
                tracing::error!(key = %deployment.key, reason, "cannot start a process for Functions");
                NotRunning::Failed(reason)
            }
        })?;
        let Some(flight) = deployment.add(live, &process) else {
            process.end(Verdict::Stopped);
            return Err(NotRunning::Gone);
        };
        tokio::spawn(see_to_the_end(Arc::clone(deployment), process, Arc::clone(&self.counters)));
        Ok(flight)
    }

    /// Ends the idle deployment that was used the longest time ago; the future tells when it has ended.
    fn evict(&self, full: Full, wanted: &DeploymentKey) -> Option<BoxFuture<'static, ()>> {
        let idle = |deployment: &Arc<Deployment>| {
            let may_go = full == Full::Server || deployment.key.project == wanted.project;
            let since = may_go.then(|| deployment.idle_since()).flatten()?;
            Some((since, Arc::clone(deployment)))
        };
        let oldest = self.deployments().values().filter_map(idle).min_by_key(|(since, _)| *since);
        let processes = oldest?.1.stop_if_idle()?;
        Some(Box::pin(async move {
            join_all(processes.iter().map(|process| process.ended())).await;
        }))
    }

    /// Whether a project wants its assets to be served when Functions cannot run.
    pub(super) async fn fails_open(&self, key: &DeploymentKey) -> bool {
        if let Some(live) = self.deployment(key).live() {
            return live.plan.fail_open;
        }
        let found = self.store.functions_of(&key.project, key.deployment).await;
        found.is_ok_and(|found| found.deployment.config.fail_open)
    }

    /// Starts a deployment's Functions; they stay for the visitors who come next.
    pub(super) async fn check(self: &Arc<Self>, key: DeploymentKey) -> Result<Vec<String>, CheckFailure> {
        match self.flight(&key, Wants::Exceptions).await {
            Ok(flight) => {
                let mut warnings = flight.plan.warnings.clone();
                warnings.extend(self.program.compatibility_date(&flight.plan).warning);
                warnings.extend(self.house.bindings.absent(&flight.plan.resources).await);
                warnings.extend(self.absent_services(&flight.plan.services).await);
                warnings.extend(self.warning.clone());
                Ok(warnings)
            }
            Err(NotRunning::Refused(lines)) => Err(CheckFailure::Refused(lines)),
            Err(NotRunning::BacksOff(pause)) => {
                let seconds = pause.as_secs() + 1;
                Err(CheckFailure::Unchecked(format!(
                    "they crashed too often; try again in {seconds} seconds"
                )))
            }
            Err(NotRunning::Busy { .. }) => {
                Err(CheckFailure::Unchecked("this server runs as many Functions as it may".into()))
            }
            Err(NotRunning::Gone) => Err(CheckFailure::Unchecked("the deployment has no Functions".into())),
            Err(NotRunning::Failed(reason)) => Err(CheckFailure::Unchecked(reason)),
        }
    }
}

/// Starts something when it is its turn: starting takes the CPU and little else, so many at once would all be late.
async fn in_turn<T>(turns: &Semaphore, start: impl Future<Output = T>) -> T {
    let turn = turns.acquire().await;
    let mut start = pin!(start);
    if let Ok(started) = timeout(OTHERS_WAIT, &mut start).await {
        return started;
    }
    drop(turn);
    start.await
}

/// Waits for a process to end, and says why where that is the deployment's doing.
async fn see_to_the_end(deployment: Arc<Deployment>, process: Arc<Process>, counters: Arc<Counters>) {
    process.ended().await;
    counters.ended(process.verdict());
    deployment.process_ended(&process);
    let key = &deployment.key;
    match process.verdict() {
        Some(Verdict::Stopped) | None => tracing::debug!(%key, "Functions have been stopped"),
        Some(verdict) => tracing::warn!(%key, ?verdict, said = process.said(), "Functions have ended"),
    }
}
