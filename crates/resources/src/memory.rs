//! A bound on what values and answers hold in memory, counted in KiB.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory for values that are on their way in or out. When it is spent, the next one waits.
#[derive(Clone)]
pub struct MemoryBudget {
    free: Arc<Semaphore>,
    kib: u32,
}

/// Memory that was asked for; dropping it gives it back.
pub struct Reserved(Option<OwnedSemaphorePermit>);

impl MemoryBudget {
    /// So many bytes in all.
    pub fn new(bytes: usize) -> Self {
        let kib = in_kib(bytes).max(1);
        Self { free: Arc::new(Semaphore::new(kib as usize)), kib }
    }

    /// Waits for so many bytes, in the order of asking; more than there are at all means all of them.
    pub async fn reserve(&self, bytes: usize) -> Reserved {
        let wanted = in_kib(bytes).min(self.kib);
        // Nobody closes the semaphore.
        Reserved(Arc::clone(&self.free).acquire_many_owned(wanted).await.ok())
    }
}

impl Reserved {
    /// Bytes that hold on to this memory until the last of their clones is dropped.
    pub fn attach(self, bytes: Vec<u8>) -> Bytes {
        struct Held(Vec<u8>, #[expect(dead_code, reason = "held for its drop")] Reserved);
        impl AsRef<[u8]> for Held {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        Bytes::from_owner(Held(bytes, self))
    }
}

impl std::fmt::Debug for Reserved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reserved({} KiB)", self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits))
    }
}

fn in_kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn attached_memory_is_free_when_the_last_bytes_are_gone() {
        let budget = MemoryBudget::new(64 * 1024);
        let bytes = budget.reserve(60_000).await.attach(vec![7; 60_000]);
        let part = bytes.slice(..10);
        drop(bytes);
        assert!(budget.free.available_permits() < 10);
        drop(part);
        assert_eq!(budget.free.available_permits(), 64);
    }
}
