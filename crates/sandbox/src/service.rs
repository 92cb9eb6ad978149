//! A command that serves others: it is given a listening socket, can be looked at while it runs, and is asked to end
//! before it is made to.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::proc;
use crate::share::CpuShare;

/// How a command serves.
#[derive(Clone, Debug)]
pub struct Service {
    /// The listening socket, which becomes the command's standard input. It stays open here: what connects while
    /// nobody accepts waits.
    pub socket: Arc<OwnedFd>,
    /// How long the command gets to end by itself when it is stopped, after a SIGTERM.
    pub grace: Duration,
    /// Its share of the CPUs.
    pub share: CpuShare,
    /// How often limits are looked at that the kernel does not keep by itself.
    pub look: Duration,
    /// Looks at it.
    pub meter: Meter,
    /// Ends it at once, whatever it is in the middle of.
    pub kill: CancellationToken,
}

/// Looks at a command from outside. Clones look at the same.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Looked>);

#[derive(Debug, Default)]
struct Looked {
    /// The outermost process; 0 when nothing runs.
    root: AtomicI32,
    /// Its descendants, as they were found once: a server starts its processes at the beginning.
    known: Mutex<Vec<i32>>,
}

/// CPU time of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// What it had.
    pub used: Duration,
    /// How long it was ready to compute while others had the CPUs. Zero where the kernel does not count that.
    pub waited: Duration,
}

impl CpuTime {
    /// What it would have used had others not been in its way. Who computes without a pause wants as much as time passes,
    /// however busy the machine is.
    pub fn wanted(self) -> Duration {
        self.used + self.waited
    }

    /// What came since an earlier look.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        let (used, waited) =
            (self.used.saturating_sub(earlier.used), self.waited.saturating_sub(earlier.waited));
        Self { used, waited }
    }

    fn plus(self, other: Self) -> Self {
        Self { used: self.used + other.used, waited: self.waited + other.waited }
    }
}

impl Meter {
    /// CPU time of the command's threads so far; zero when it does not run.
    pub fn cpu_time(&self) -> CpuTime {
        self.pids().iter().map(|pid| proc::cpu_time(*pid)).fold(CpuTime::default(), CpuTime::plus)
    }

    /// Memory that is the command's alone, in bytes; zero when it does not run.
    pub fn memory_bytes(&self) -> u64 {
        proc::used(&self.pids()).memory_bytes
    }

    pub(crate) fn begin(&self, root: i32) {
        self.0.root.store(root, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.0.root.store(0, Ordering::Relaxed);
        self.known().clear();
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Vec<i32>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pids(&self) -> Vec<i32> {
        let root = self.0.root.load(Ordering::Relaxed);
        if root == 0 {
            return Vec::new();
        }
        let known = self.known().clone();
        // The command itself is the last to be there; until then there is nothing to remember.
        if !known.is_empty() {
            return known;
        }
        let found = proc::descendants(root);
        if self.0.root.load(Ordering::Relaxed) == root && found.len() >= PROCESSES_OF_A_COMMAND {
            self.known().clone_from(&found);
        }
        found
    }
}

/// The helper and the command; with walls there is one more.
const PROCESSES_OF_A_COMMAND: usize = 2;
