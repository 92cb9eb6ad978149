//! A command that serves others: it is given a listening socket, can be looked at while it runs, and is asked to end
//! before it is made to.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::proc;

/// How a command serves.
#[derive(Clone, Debug)]
pub struct Service {
    /// The listening socket, which becomes the command's standard input. It stays open here: what connects while
    /// nobody accepts waits.
    pub socket: Arc<OwnedFd>,
    /// How long the command gets to end by itself when it is stopped, after a SIGTERM.
    pub grace: Duration,
    /// Its share of the CPUs while others want them, too; what runs outside of sandboxes has 100. Where there are no
    /// control groups, all have the same.
    pub weight: u32,
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

impl Meter {
    /// CPU time that the command's threads have used so far, or would have used had others not been in their way; zero
    /// when it does not run. Who computes without a pause wants as much as time passes, however busy the machine is.
    pub fn wanted_cpu_time(&self) -> Duration {
        self.pids().iter().map(|pid| proc::wanted_cpu_time(*pid)).sum()
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
