//! Group commit for the file system: one `syncfs` serves everybody who asked before it began.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::error::{Result, StoreError};
use crate::lock::blocking;

pub(super) struct GroupSync {
    root: PathBuf,
    handle: Arc<File>,
    /// The number of the next ask.
    asks: AtomicU64,
    rounds: Mutex<Rounds>,
}

/// What the rounds so far have covered: asks below these numbers.
#[derive(Default)]
struct Rounds {
    done: u64,
    failed: u64,
}

impl GroupSync {
    pub(super) fn new(root: PathBuf, handle: File) -> Self {
        Self { root, handle: Arc::new(handle), asks: AtomicU64::new(0), rounds: Mutex::default() }
    }

    /// Makes durable whatever was written to the file system before the call.
    ///
    /// The asks that wait while a round runs are all served by the next one, so the number of rounds grows
    /// with time and not with callers. A failed round fails everybody it served: the kernel reports a lost
    /// page once, so a second try would succeed without the page.
    pub(super) async fn sync(&self) -> Result<()> {
        let ask = self.asks.fetch_add(1, Ordering::SeqCst);
        let mut rounds = self.rounds.lock().await;
        if ask < rounds.failed {
            return Err(self.error(std::io::Error::other("an earlier sync of the file system failed")));
        }
        if ask < rounds.done {
            return Ok(());
        }
        let covered = self.asks.load(Ordering::SeqCst);
        let handle = self.handle.clone();
        let synced = blocking(move || Ok(nix::unistd::syncfs(&*handle))).await?;
        rounds.done = covered;
        if let Err(errno) = synced {
            rounds.failed = covered;
            return Err(self.error(errno.into()));
        }
        Ok(())
    }

    fn error(&self, source: std::io::Error) -> StoreError {
        StoreError::Io { path: self.root.clone(), source }
    }
}
