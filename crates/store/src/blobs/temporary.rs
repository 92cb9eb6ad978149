//! Files that were written and do not have their names yet.
//!
//! They lie in a directory of this process, which holds a lock on it; whoever opens the store removes the
//! directories that nobody holds.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use uuid::Uuid;

use crate::error::{Result, StoreError};
use crate::failpoints::point;

/// Where this process writes what has no name yet. Removed when dropped: left behind, it would be removed by
/// the next to open the store.
pub(super) struct Temporary {
    directory: PathBuf,
    next: AtomicU64,
    /// Keeps others from removing the directory.
    _lock: File,
}

impl Temporary {
    /// Makes a directory among others and removes those that interrupted processes have left.
    pub(super) fn claim(temporaries: &Path, turn: &Path) -> Result<Self> {
        // Between making its lock file and locking it, a process looks like one that is gone: take turns.
        let file = File::create(turn).map_err(StoreError::io(turn))?;
        file.lock().map_err(StoreError::io(turn))?;
        remove_abandoned(temporaries)?;
        let directory = temporaries.join(Uuid::new_v4().simple().to_string());
        let lock = lock(&directory)?;
        Ok(Self { directory, next: AtomicU64::new(0), _lock: lock })
    }
}

impl Temporary {
    /// A new file, and where it is.
    pub(super) fn create(&self) -> Result<(File, PathBuf)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.join(number.to_string());
        let file = File::create_new(&path).map_err(StoreError::io(&path))?;
        Ok((file, path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
        let _ = fs::remove_file(lock_file(&self.directory));
    }
}

/// Files under temporary names, with the names that they are to have; removed when dropped before they were
/// renamed.
#[derive(Default)]
pub(super) struct Written(Vec<(PathBuf, PathBuf)>);

impl Written {
    /// Writes files: final name and content.
    pub(super) fn write(temporary: &Temporary, files: &[(PathBuf, Bytes)], sync: bool) -> Result<Self> {
        let mut written = Self::default();
        for (name, bytes) in files {
            point("store::blobs::write")?;
            let (mut file, path) = temporary.create()?;
            written.0.push((path.clone(), name.clone()));
            file.write_all(bytes).map_err(StoreError::io(&path))?;
            if sync {
                file.sync_data().map_err(StoreError::io(&path))?;
            }
        }
        Ok(written)
    }

    /// Gives the files their names.
    pub(super) fn rename(mut self, sync: bool) -> Result<()> {
        let mut directories = BTreeSet::new();
        while let Some((from, to)) = self.0.last() {
            point("store::blobs::rename")?;
            fs::rename(from, to).map_err(StoreError::io(to))?;
            directories.extend(to.parent().map(Path::to_owned));
            self.0.pop();
        }
        for directory in directories.iter().filter(|_| sync) {
            let opened = File::open(directory).map_err(StoreError::io(directory))?;
            opened.sync_all().map_err(StoreError::io(directory))?;
        }
        Ok(())
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        for (path, _) in &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

/// Makes a directory unless it is there.
pub(super) fn make(path: &Path) -> Result<()> {
    match fs::create_dir(path) {
        Err(source) if source.kind() != ErrorKind::AlreadyExists => {
            Err(StoreError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Makes a temporary directory and takes the lock that says that its process lives.
fn lock(directory: &Path) -> Result<File> {
    let lock = lock_file(directory);
    // The lock comes first: a directory without a held lock may be removed at any time.
    let file = File::create_new(&lock).map_err(StoreError::io(&lock))?;
    file.lock().map_err(StoreError::io(&lock))?;
    make(directory)?;
    Ok(file)
}

fn lock_file(directory: &Path) -> PathBuf {
    directory.with_extension("lock")
}

fn remove_abandoned(temporaries: &Path) -> Result<()> {
    for entry in fs::read_dir(temporaries).map_err(StoreError::io(temporaries))? {
        let directory = entry.map_err(StoreError::io(temporaries))?.path().with_extension("");
        let lock = lock_file(&directory);
        let held = File::open(&lock).is_ok_and(|file| file.try_lock().is_err());
        if !held {
            // Each is met twice, as a directory and as a lock, so one of the two may be gone.
            let _ = fs::remove_dir_all(&directory);
            let _ = fs::remove_file(&lock);
        }
    }
    Ok(())
}
