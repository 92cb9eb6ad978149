//! Keeps a collection and the uploads apart.
//!
//! An upload looks which blobs are there, writes the others and then commits rows that rely on both; a
//! collection removes blobs that no row relies on. Between the look and the commit nothing may be removed.
//! So uploads hold the lock together and a collection holds it alone, for one batch at a time. The lock has
//! two parts: a fair one for the tasks of this process, so that a stream of uploads cannot hold off a
//! collection for ever, and a file lock for `gc` run by hand beside the server.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::error::{Result, StoreError};

/// The lock.
#[derive(Clone)]
pub(crate) struct CollectionLock {
    path: PathBuf,
    inside: Arc<RwLock<()>>,
}

/// Held by an upload.
pub(crate) struct UploadGuard {
    _inside: OwnedRwLockReadGuard<()>,
    _file: File,
}

/// Held by a collection.
pub(crate) struct CollectGuard {
    _inside: OwnedRwLockWriteGuard<()>,
    _file: File,
}

impl CollectionLock {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, inside: Arc::default() }
    }

    /// Waits while a batch is collected. Never taken twice by one task: the fair lock would wait for itself.
    pub(crate) async fn upload(&self) -> Result<UploadGuard> {
        let inside = self.inside.clone().read_owned().await;
        Ok(UploadGuard { _inside: inside, _file: self.file(File::lock_shared).await? })
    }

    /// Waits for the uploads that are under way.
    pub(crate) async fn collect(&self) -> Result<CollectGuard> {
        let inside = self.inside.clone().write_owned().await;
        Ok(CollectGuard { _inside: inside, _file: self.file(File::lock).await? })
    }

    /// Opens and locks the file. Each holder has its own open file, since the kernel's lock belongs to that;
    /// closing it unlocks.
    async fn file(&self, lock: fn(&File) -> std::io::Result<()>) -> Result<File> {
        locked(self.path.clone(), lock).await
    }
}

/// Held while a process opens the store.
///
/// SQLite's busy timeout does not cover everything that happens then: a connection that switches a new database
/// to the write-ahead log, or recovers one, may be told "locked" at once when another does the same.
pub(crate) struct OpeningGuard(#[expect(dead_code, reason = "closing the file unlocks it")] File);

impl OpeningGuard {
    /// Waits for other processes that open the same store.
    pub(crate) async fn wait(path: PathBuf) -> Result<Self> {
        locked(path, File::lock).await.map(Self)
    }
}

async fn locked(path: PathBuf, lock: fn(&File) -> std::io::Result<()>) -> Result<File> {
    blocking(move || {
        let file = open(&path).map_err(StoreError::io(&path))?;
        lock(&file).map_err(StoreError::io(&path))?;
        Ok(file)
    })
    .await
}

fn open(path: &Path) -> std::io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

/// Runs work that waits for the disk on a thread for such work.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Corrupt(format!("a task of the store ended early: {error}"))),
    }
}
