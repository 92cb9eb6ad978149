//! Keeps the files of one kind of resource: opens them when somebody asks, closes those that nobody has asked for in
//! a while, and bounds how many are open and how many threads wait for the disk.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use offprint_model::id::ResourceId;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::error::{ResourceError, Result};
use crate::file;

/// Each holds a few file descriptors and up to some megabytes of page cache.
const OPEN_MAX: usize = 64;

const EXTENSION: &str = "db";

/// The files of one kind of resource.
pub(crate) struct Keeper<T> {
    directory: PathBuf,
    schema: &'static str,
    open: fn(&Path) -> Result<T>,
    kept: Mutex<HashMap<ResourceId, Kept<T>>>,
    turns: Turns,
}

/// Bounds how many calls wait for the disk or compute at one time.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Turns {
    /// Waits for a turn, which lasts until what this yields is dropped.
    pub(crate) async fn next(&self) -> Option<OwnedSemaphorePermit> {
        // Nobody closes the semaphore.
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}

struct Kept<T> {
    file: Arc<OnceCell<Arc<T>>>,
    used: Instant,
}

impl<T: Send + Sync + 'static> Keeper<T> {
    /// Files in this directory, which is made when absent. At most `calls_max` calls run at one time, among all
    /// resources of the kind.
    pub(crate) fn new(
        directory: PathBuf,
        schema: &'static str,
        calls_max: usize,
        open: fn(&Path) -> Result<T>,
    ) -> Result<Self> {
        fs::create_dir_all(&directory).map_err(ResourceError::io(&directory))?;
        let turns = Turns(Arc::new(Semaphore::new(calls_max)));
        Ok(Self { directory, schema, open, kept: Mutex::default(), turns })
    }

    /// Makes the file of a resource that nobody knows yet.
    pub(crate) async fn make(&self, id: &ResourceId) -> Result<()> {
        let (path, schema) = (self.path(id), self.schema);
        blocking(move || file::make(&path, schema)).await
    }

    /// The file of a resource, opened if it is not open.
    pub(crate) async fn file(&self, id: &ResourceId) -> Result<Arc<T>> {
        let (cell, closed) = self.take_note(id);
        close(closed);
        let (path, open) = (self.path(id), self.open);
        let opened =
            cell.get_or_try_init(|| async move { blocking(move || open(&path).map(Arc::new)).await });
        Ok(Arc::clone(opened.await?))
    }

    /// Runs a call on a resource's file, on a thread for such work.
    pub(crate) async fn call<R: Send + 'static>(
        &self,
        id: &ResourceId,
        call: impl FnOnce(&T) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let file = self.file(id).await?;
        let turn = self.turns.next().await;
        blocking(move || {
            let _turn = turn;
            call(&file)
        })
        .await
    }

    /// The turns that calls wait for.
    pub(crate) fn turns(&self) -> Turns {
        self.turns.clone()
    }

    /// Removes a resource's file. Calls under way may end; later ones find it gone.
    pub(crate) async fn remove(&self, id: &ResourceId) -> Result<()> {
        let kept = self.lock().remove(id);
        let path = self.path(id);
        blocking(move || {
            drop(kept);
            file::remove(&path)
        })
        .await
    }

    /// Closes the files that nobody has asked for in so long.
    pub(crate) fn close_idle(&self, idle: Duration) {
        let mut kept = self.lock();
        let idle =
            kept.extract_if(|_, kept| kept.used.elapsed() >= idle).map(|(_, kept)| kept.file).collect();
        drop(kept);
        close(idle);
    }

    /// The resources whose files are open.
    pub(crate) fn open_now(&self) -> Vec<ResourceId> {
        self.lock().keys().cloned().collect()
    }

    /// The resources that have a file.
    pub(crate) async fn all(&self) -> Result<Vec<ResourceId>> {
        let directory = self.directory.clone();
        blocking(move || {
            let mut found = Vec::new();
            for entry in fs::read_dir(&directory).map_err(ResourceError::io(&directory))? {
                let path = entry.map_err(ResourceError::io(&directory))?.path();
                if path.extension().is_some_and(|extension| extension == EXTENSION)
                    && let Some(id) = path.file_stem().and_then(|stem| stem.to_str())
                {
                    found.push(ResourceId::new(id));
                }
            }
            Ok(found)
        })
        .await
    }

    /// Removes the files that belong to no resource: a crash has left them. To be called when no resource is being
    /// made.
    pub(crate) async fn remove_strays(&self, known: &HashSet<ResourceId>) -> Result<()> {
        for id in self.all().await?.iter().filter(|id| !known.contains(id)) {
            tracing::info!(resource.id = id.as_str(), "removing contents that belong to no resource");
            self.remove(id).await?;
        }
        Ok(())
    }

    /// Ids are our own, so they are safe as names of files.
    pub(crate) fn path(&self, id: &ResourceId) -> PathBuf {
        self.directory.join(id.as_str()).with_extension(EXTENSION)
    }

    /// Notes that a resource is used now. Yields its cell, and the files that are to be closed to make room.
    #[expect(clippy::type_complexity, reason = "a pair of what the lock guards")]
    fn take_note(&self, id: &ResourceId) -> (Arc<OnceCell<Arc<T>>>, Vec<Arc<OnceCell<Arc<T>>>>) {
        let mut kept = self.lock();
        let used = Instant::now();
        let entry = kept.entry(id.clone()).or_insert_with(|| Kept { file: Arc::default(), used });
        entry.used = used;
        let cell = Arc::clone(&entry.file);
        let mut closed = Vec::new();
        while kept.len() > OPEN_MAX {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.used).map(|(id, _)| id.clone());
            let Some(removed) = oldest.and_then(|id| kept.remove(&id)) else { break };
            closed.push(removed.file);
        }
        (cell, closed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ResourceId, Kept<T>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes files, which waits for the disk. Those in use are closed by the last who uses them.
fn close<T: Send + Sync + 'static>(files: Vec<Arc<OnceCell<Arc<T>>>>) {
    if !files.is_empty() {
        tokio::task::spawn_blocking(move || drop(files));
    }
}

/// Runs work that waits for the disk on a thread for such work.
pub(crate) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R> + Send + 'static,
) -> Result<R> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ResourceError::Corrupt(format!("a call ended early: {error}"))),
    }
}
