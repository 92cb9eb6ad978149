//! One process of workerd: its start, its connections, its end.

use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use offprint_sandbox::egress::bind;
use offprint_sandbox::{CpuShare, Exit, Limit, Limits, Meter, Mount, Sandbox, SandboxError, Service, Spec};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::complaint::{self, Complaints, Said};
use super::config::{Config, SOCKET};
use super::directory::{Directory, Place, QUIET, TELLING};
use super::options::FunctionLimits;
use super::outlets::{House, Outlets, Owner};
use super::pool::Pool;
use super::program::Program;
use super::progress::Progress;
use super::room::Room;
use super::watch::Watched;

/// Where the deployment's directory and the program are, within walls.
const DIRECTORY_INSIDE: &str = "/functions";
const PROGRAM_INSIDE: &str = "/workerd";
/// Bytes that a process may print in a second; nobody reads them but for complaints.
const PRINTED_A_SECOND_MAX: usize = 4 << 20;
/// Processes and threads in one sandbox. workerd has a handful, V8 one for each CPU.
const PIDS: u64 = 128;
/// Room for temporary files; there is no way for Functions to make any.
const DISK_BYTES: u64 = 64 << 20;
/// CPUs that one process may use; JavaScript itself runs on one.
const CPUS: u32 = 2;
/// Of the CPUs when there are not enough, as much as the server itself: who computes much gives way anyway, and who does
/// not shall answer as quickly.
const WEIGHT: u32 = 100;
/// How often memory is looked at where the kernel does not bound it.
const LOOK: Duration = Duration::from_millis(250);
/// A process of this kind runs for as long as it is wanted.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// How a line begins with which V8 says that its heap was not enough.
const OUT_OF_HEAP: [&str; 2] = ["Reached heap limit", "out of memory"];

/// A process that has been started.
pub(super) struct Process {
    /// Whether it does not tell of its calls.
    pub(super) is_quiet: bool,
    pub(super) pool: Arc<Pool>,
    pub(super) meter: Meter,
    pub(super) share: CpuShare,
    pub(super) progress: Progress,
    pub(super) watched: Mutex<Watched>,
    /// Requests that it is answering, bodies included.
    pub(super) in_flight: AtomicUsize,
    /// Asks it to end when its requests are answered.
    stop: CancellationToken,
    /// Ends it at once.
    kill: CancellationToken,
    ended: CancellationToken,
    verdict: OnceLock<Verdict>,
    /// Since when it gets no more requests.
    retired: OnceLock<Instant>,
    /// What went wrong with the sandbox.
    failure: OnceLock<String>,
    complaints: Mutex<Complaints>,
}

/// Why a process has ended, or is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// We wanted it to.
    Stopped,
    /// It computed without a pause.
    Spinning,
    /// It used too much memory.
    Memory,
    /// It ended by itself.
    Crashed,
}

/// Why there is no process.
#[derive(Debug)]
pub(super) enum NotStarted {
    /// It ended: lines for the author.
    Refused(Vec<String>),
    /// This machine is at fault.
    Failed(String),
}

/// What processes are started with.
pub(super) struct Launch<'a> {
    pub(super) program: &'a Program,
    pub(super) sandbox: &'a Sandbox,
    pub(super) house: &'a House,
    pub(super) limits: &'a FunctionLimits,
    pub(super) config: &'a Config,
    pub(super) flags: &'a [String],
    pub(super) directory: Arc<Directory>,
    pub(super) owner: Owner,
    pub(super) room: Room,
    /// Whether the process is not to tell of its calls.
    pub(super) is_quiet: bool,
}

impl Process {
    /// Starts a process and waits until it listens.
    pub(super) async fn start(launch: Launch<'_>) -> Result<Arc<Self>, NotStarted> {
        let failed = |error: std::io::Error| NotStarted::Failed(error.to_string());
        let place = launch.directory.place().map_err(failed)?;
        let Launch { house, config, owner, .. } = &launch;
        let outlets = Outlets::open(&place.sockets, &config.outlets, house, owner).map_err(failed)?;
        let listener =
            bind(&place.path, SOCKET).and_then(tokio::net::UnixListener::into_std).map_err(failed)?;
        let process = Arc::new(Self {
            is_quiet: launch.is_quiet,
            pool: Arc::new(Pool::new(&place.path, SOCKET).map_err(failed)?),
            meter: Meter::default(),
            share: CpuShare::of_weight(WEIGHT),
            progress: owner.progress.clone(),
            watched: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            stop: CancellationToken::new(),
            kill: CancellationToken::new(),
            ended: CancellationToken::new(),
            verdict: OnceLock::new(),
            retired: OnceLock::new(),
            failure: OnceLock::new(),
            complaints: Mutex::default(),
        });
        let service = Service {
            socket: Arc::new(listener.into()),
            grace: launch.limits.drain,
            share: process.share.clone(),
            look: LOOK,
            meter: process.meter.clone(),
            kill: process.kill.clone(),
        };
        let ready = CancellationToken::new();
        let spec = launch.spec(&place, service);
        let running =
            Running { _outlets: outlets, _directory: Arc::clone(&launch.directory), _room: launch.room };
        let sandbox = launch.sandbox.clone();
        tokio::spawn(Arc::clone(&process).run(sandbox, spec, running, ready.clone()));
        tokio::select! {
            () = ready.cancelled() => Ok(process),
            () = process.ended.cancelled() => Err(process.not_started(launch.flags)),
            () = tokio::time::sleep(launch.limits.start) => {
                process.end(Verdict::Spinning);
                process.ended.cancelled().await;
                Err(NotStarted::Refused(too_slow(launch.limits.start)))
            }
        }
    }

    /// Sees the process through to its end.
    async fn run(self: Arc<Self>, sandbox: Sandbox, spec: Spec, running: Running, ready: CancellationToken) {
        let (sender, mut lines) = mpsc::channel::<String>(64);
        let process = Arc::clone(&self);
        let reading = tokio::spawn(async move {
            let mut budget = Budget::default();
            while let Some(line) = lines.recv().await {
                budget.spend(line.len()).await;
                match complaint::read(&line) {
                    Said::Ready => ready.cancel(),
                    Said::Complaint(complaint) => process.complaints().add(&complaint),
                    Said::Printed => {}
                }
            }
        });
        let exit = sandbox.run(spec, sender, self.stop.clone()).await;
        // The last lines say why.
        let _ = timeout(Duration::from_secs(1), reading).await;
        let verdict = self.judged(&exit);
        let _ = self.verdict.set(verdict);
        if verdict == Verdict::Crashed {
            tracing::debug!(?exit, said = self.complaints().text(), "a process of Functions has ended");
        }
        if let Err(error) = exit {
            let _ = self.failure.set(error.to_string());
        }
        drop(running);
        self.ended.cancel();
    }

    fn judged(&self, exit: &Result<Exit, SandboxError>) -> Verdict {
        if let Some(verdict) = self.verdict.get() {
            return *verdict;
        }
        if matches!(exit, Ok(Exit::Limit(Limit::Memory))) {
            return Verdict::Memory;
        }
        let said = self.complaints().text();
        if OUT_OF_HEAP.iter().any(|words| said.contains(words)) { Verdict::Memory } else { Verdict::Crashed }
    }

    fn not_started(&self, flags: &[String]) -> NotStarted {
        match self.failure.get() {
            Some(failure) => NotStarted::Failed(failure.clone()),
            None => NotStarted::Refused(self.complaints().for_author(flags)),
        }
    }

    /// It is being replaced: it gets no more requests, and is asked to end when it has answered those it has.
    pub(super) fn retire(&self) {
        let _ = self.retired.set(Instant::now());
    }

    /// Since when it is being replaced.
    pub(super) fn retired_since(&self) -> Option<Instant> {
        self.retired.get().copied()
    }

    /// Asks the process to end: requests under way are answered first, for a while.
    pub(super) fn drain(&self) {
        let _ = self.verdict.set(Verdict::Stopped);
        self.stop.cancel();
    }

    /// Ends the process at once.
    pub(super) fn end(&self, verdict: Verdict) {
        let _ = self.verdict.set(verdict);
        self.kill.cancel();
        self.stop.cancel();
    }

    /// Returns when nothing of the process lives.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Why it has ended or is about to; `None`: it runs.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.verdict.get().copied()
    }

    /// What it has said, for the operator.
    pub(super) fn said(&self) -> String {
        self.complaints().text()
    }

    fn complaints(&self) -> MutexGuard<'_, Complaints> {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much a process prints. Who prints without end fills its pipe, and waits.
struct Budget {
    second: Instant,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { second: Instant::now(), bytes: 0 }
    }
}

impl Budget {
    /// Waits while too much has been printed.
    async fn spend(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.second.elapsed() >= Duration::from_secs(1) {
            *self = Self { bytes, ..Self::default() };
        } else if self.bytes > PRINTED_A_SECOND_MAX {
            sleep_until(self.second + Duration::from_secs(1)).await;
        }
    }
}

/// What exists for as long as the process does, in the order in which it goes.
struct Running {
    _outlets: Outlets,
    _directory: Arc<Directory>,
    _room: Room,
}

impl Launch<'_> {
    fn spec(&self, place: &Place, service: Service) -> Spec {
        let walls = self.sandbox.has_walls();
        let (program, directory) = if walls {
            (PROGRAM_INSIDE.into(), PathBuf::from(DIRECTORY_INSIDE))
        } else {
            (self.program.path.display().to_string(), self.directory.path().to_owned())
        };
        let seen = |host: &std::path::Path, inside: &str| Mount {
            host: host.to_owned(),
            inside: inside.into(),
            writable: false,
        };
        let workdir = directory.join(&place.name);
        Spec {
            argv: vec![
                program,
                "serve".into(),
                format!("../{}", if self.is_quiet { QUIET } else { TELLING }),
                format!("--socket-fd={SOCKET}=0"),
                "--control-fd=1".into(),
            ],
            env: self.config.environment.clone(),
            mounts: if walls {
                vec![seen(self.directory.path(), DIRECTORY_INSIDE), seen(&self.program.path, PROGRAM_INSIDE)]
            } else {
                Vec::new()
            },
            home: workdir.clone(),
            workdir,
            counted: Vec::new(),
            network: false,
            limits: Limits {
                time: FOREVER,
                memory_bytes: self.limits.memory_bytes,
                pids: PIDS,
                disk_bytes: DISK_BYTES,
                cpus: CPUS,
            },
            service: Some(service),
        }
    }
}

fn too_slow(limit: Duration) -> Vec<String> {
    vec![
        "The Functions of this deployment do not start:".into(),
        format!("  They were not ready after {} seconds.", limit.as_secs_f64()),
        "  → Is there an endless loop, or much work, outside of onRequest and fetch()?".into(),
    ]
}
