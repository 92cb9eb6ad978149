//! Whether a process still does anything but compute.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what shows that a process is not caught in a loop: everything that it does goes through sockets of ours.
/// Clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Something came from the process.
    pub(super) fn made(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How much there has been.
    pub(super) fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
