//! A bound on the memory of large requests.
//!
//! A request that may hold a large body reserves its size before reading it and gives it back at the
//! end; when the budget is spent, the next one waits. Callers who have proved who they are share one budget;
//! webhooks, whose proof is their body, another.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const KIB: usize = 1024;

/// The budget, counted in KiB.
pub(crate) struct MemoryBudget {
    free: Arc<Semaphore>,
    total_kib: u32,
}

/// A reservation; dropping it gives the memory back.
pub(crate) struct Reserved(#[expect(dead_code, reason = "held for its drop")] Option<OwnedSemaphorePermit>);

impl MemoryBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        let total_kib = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX).max(1);
        Self { free: Arc::new(Semaphore::new(total_kib as usize)), total_kib }
    }

    /// Waits until so many bytes are free. More than there is at all means: alone.
    pub(crate) async fn reserve(&self, bytes: usize) -> Reserved {
        let kib = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX).clamp(1, self.total_kib);
        // The semaphore is never closed, so there is always a permit in the end.
        Reserved(Arc::clone(&self.free).acquire_many_owned(kib).await.ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_full_budget_makes_the_next_one_wait() {
        let budget = MemoryBudget::new(64 * KIB);
        let first = budget.reserve(60 * KIB).await;
        let waits = tokio::time::timeout(Duration::from_millis(50), budget.reserve(10 * KIB)).await;
        assert!(waits.is_err());
        drop(first);
        budget.reserve(10 * KIB).await;
    }

    #[tokio::test]
    async fn more_than_there_is_goes_alone() {
        let budget = MemoryBudget::new(KIB);
        budget.reserve(usize::MAX).await;
    }
}
