//! What happens to processes, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::process::Verdict;
use crate::runtime::RuntimeCounts;

/// The counts of a runtime.
#[derive(Default)]
pub(super) struct Counters {
    starts: AtomicU64,
    failed_starts: AtomicU64,
    crashes: AtomicU64,
    out_of_memory: AtomicU64,
    spinning: AtomicU64,
}

impl Counters {
    /// A process has come to run, or has not.
    pub(super) fn started(&self, runs: bool) {
        let counter = if runs { &self.starts } else { &self.failed_starts };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A process has ended.
    pub(super) fn ended(&self, verdict: Option<Verdict>) {
        let counter = match verdict {
            Some(Verdict::Crashed) => &self.crashes,
            Some(Verdict::Memory) => &self.out_of_memory,
            Some(Verdict::Spinning) => &self.spinning,
            Some(Verdict::Stopped) | None => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// All of them.
    pub(super) fn read(&self) -> RuntimeCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RuntimeCounts {
            starts: read(&self.starts),
            failed_starts: read(&self.failed_starts),
            crashes: read(&self.crashes),
            out_of_memory: read(&self.out_of_memory),
            spinning: read(&self.spinning),
        }
    }
}
