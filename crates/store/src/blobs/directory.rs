//! Blobs as files of a local directory: `<root>/ab/<64 hex digits>`.
//!
//! A batch is written under temporary names, made durable, renamed, and made durable again: so whatever has a
//! final name is whole, also after a power cut. Syncing each of thousands of small files would take a disk
//! flush each, 320 to 510 files a second; two `syncfs` for the batch make it some thousands. A few files are
//! synced one by one, because `syncfs` also waits for what others wrote to the disk.
//!
//! Temporary files lie in a directory of this process, which holds a lock on it; whoever opens the store
//! removes the directories that nobody holds.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use offprint_model::asset::BlobHash;
use offprint_model::time::Timestamp;
use uuid::Uuid;

use super::sync::GroupSync;
use super::{Answer, BlobStore, NewBlob, StoredBlob};
use crate::error::{Entity, Result, StoreError};
use crate::failpoints::point;
use crate::lock::blocking;

/// Up to so many files and bytes are synced one by one.
const SINGLY_FILES_MAX: usize = 8;
const SINGLY_BYTES_MAX: usize = 4 << 20;

/// Blobs in a local directory.
pub struct Directory {
    layout: Arc<Layout>,
    syncs: GroupSync,
    /// Keeps others from removing our temporary directory.
    _lock: File,
}

struct Layout {
    root: PathBuf,
    temporary: PathBuf,
    next: AtomicU64,
}

impl Directory {
    /// Opens the directory, making it when absent, and removes what an interrupted process left half-done.
    ///
    /// # Errors
    /// `Io` when the disk fails.
    pub async fn open(root: PathBuf) -> Result<Self> {
        blocking(move || Self::open_now(root)).await
    }

    fn open_now(root: PathBuf) -> Result<Self> {
        let temporaries = root.join("tmp");
        fs::create_dir_all(&temporaries).map_err(StoreError::io(&temporaries))?;
        for first in 0..=u8::MAX {
            make(&root.join(format!("{first:02x}")))?;
        }
        // Between making its lock file and locking it, a process looks like one that is gone: take turns.
        let turn = root.join("opening.lock");
        let file = File::create(&turn).map_err(StoreError::io(&turn))?;
        file.lock().map_err(StoreError::io(&turn))?;
        remove_abandoned(&temporaries)?;
        let temporary = temporaries.join(Uuid::new_v4().simple().to_string());
        let lock = claim(&temporary)?;
        let handle = File::open(&root).map_err(StoreError::io(&root))?;
        handle.sync_all().map_err(StoreError::io(&root))?;
        let layout = Arc::new(Layout { root: root.clone(), temporary, next: AtomicU64::new(0) });
        Ok(Self { layout, syncs: GroupSync::new(root, handle), _lock: lock })
    }

    async fn put_all(&self, mut blobs: Vec<NewBlob>) -> Result<()> {
        let mut seen = HashSet::new();
        blobs.retain(|blob| seen.insert(blob.hash));
        let bytes: usize = blobs.iter().map(|blob| blob.bytes.len()).sum();
        let singly = blobs.len() <= SINGLY_FILES_MAX && bytes <= SINGLY_BYTES_MAX;
        let layout = self.layout.clone();
        let written = blocking(move || Written::write(layout, &blobs, singly)).await?;
        if !singly {
            self.syncs.sync().await?;
        }
        point("store::blobs::written")?;
        let layout = self.layout.clone();
        blocking(move || written.rename(&layout, singly)).await?;
        point("store::blobs::renamed")?;
        if !singly {
            self.syncs.sync().await?;
        }
        Ok(())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Left behind, it would be removed by the next to open the store.
        let _ = fs::remove_dir_all(&self.layout.temporary);
        let _ = fs::remove_file(lock_file(&self.layout.temporary));
    }
}

impl Layout {
    fn path(&self, hash: &BlobHash) -> PathBuf {
        let hex = hash.to_hex();
        self.root.join(&hex[..2]).join(hex)
    }
}

/// Files under temporary names; removed when dropped before they were renamed.
#[derive(Default)]
struct Written(Vec<(PathBuf, BlobHash)>);

impl Written {
    fn write(layout: Arc<Layout>, blobs: &[NewBlob], sync: bool) -> Result<Self> {
        let mut written = Self::default();
        for blob in blobs {
            point("store::blobs::write")?;
            let number = layout.next.fetch_add(1, Ordering::Relaxed);
            let path = layout.temporary.join(number.to_string());
            let mut file = File::create_new(&path).map_err(StoreError::io(&path))?;
            written.0.push((path.clone(), blob.hash));
            file.write_all(&blob.bytes).map_err(StoreError::io(&path))?;
            if sync {
                file.sync_data().map_err(StoreError::io(&path))?;
            }
        }
        Ok(written)
    }

    fn rename(mut self, layout: &Layout, sync: bool) -> Result<()> {
        let mut directories = BTreeSet::new();
        while let Some((from, hash)) = self.0.last() {
            point("store::blobs::rename")?;
            let to = layout.path(hash);
            fs::rename(from, &to).map_err(StoreError::io(&to))?;
            self.0.pop();
            directories.extend(to.parent().map(Path::to_owned));
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

impl BlobStore for Directory {
    fn put(&self, blobs: Vec<NewBlob>) -> Answer<'_, ()> {
        Box::pin(async move { if blobs.is_empty() { Ok(()) } else { self.put_all(blobs).await } })
    }

    fn read<'a>(&'a self, hash: &'a BlobHash) -> Answer<'a, Bytes> {
        let path = self.layout.path(hash);
        Box::pin(blocking(move || Ok(fs::read(&path).map_err(absent_or_io(&path))?.into())))
    }

    fn open<'a>(&'a self, hash: &'a BlobHash) -> Answer<'a, (tokio::fs::File, u64)> {
        let path = self.layout.path(hash);
        Box::pin(blocking(move || {
            let file = File::open(&path).map_err(absent_or_io(&path))?;
            let size = file.metadata().map_err(StoreError::io(&path))?.len();
            Ok((tokio::fs::File::from_std(file), size))
        }))
    }

    fn missing(&self, wanted: Vec<(BlobHash, u64)>) -> Answer<'_, Vec<BlobHash>> {
        let layout = self.layout.clone();
        Box::pin(blocking(move || {
            let mut missing = Vec::new();
            for (hash, size) in wanted {
                let path = layout.path(&hash);
                match fs::metadata(&path) {
                    Ok(metadata) if metadata.len() == size => {}
                    Ok(_) => missing.push(hash),
                    Err(error) if error.kind() == ErrorKind::NotFound => missing.push(hash),
                    Err(source) => return Err(StoreError::Io { path, source }),
                }
            }
            Ok(missing)
        }))
    }

    fn remove(&self, hashes: Vec<BlobHash>) -> Answer<'_, ()> {
        let layout = self.layout.clone();
        Box::pin(blocking(move || {
            for hash in hashes {
                point("store::blobs::remove")?;
                let path = layout.path(&hash);
                match fs::remove_file(&path) {
                    Err(source) if source.kind() != ErrorKind::NotFound => {
                        return Err(StoreError::Io { path, source });
                    }
                    _ => {}
                }
            }
            Ok(())
        }))
    }

    fn list(&self, first_byte: u8) -> Answer<'_, Vec<StoredBlob>> {
        let path = self.layout.root.join(format!("{first_byte:02x}"));
        Box::pin(blocking(move || list(&path)))
    }
}

fn list(path: &Path) -> Result<Vec<StoredBlob>> {
    let mut blobs = Vec::new();
    for entry in fs::read_dir(path).map_err(StoreError::io(path))? {
        let entry = entry.map_err(StoreError::io(path))?;
        let name = entry.file_name();
        // What is not named like a blob is not ours to touch.
        let Some(hash) = name.to_str().and_then(|name| blake3::Hash::from_hex(name).ok()) else { continue };
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(source) => return Err(StoreError::Io { path: entry.path(), source }),
        };
        let modified = metadata.modified().map_err(StoreError::io(entry.path()))?;
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let stored = Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        blobs.push(StoredBlob { hash: BlobHash::from_bytes(*hash.as_bytes()), size: metadata.len(), stored });
    }
    Ok(blobs)
}

fn absent_or_io(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    move |source| match source.kind() {
        ErrorKind::NotFound => StoreError::NotFound(Entity::Blob),
        _ => StoreError::Io { path: path.to_owned(), source },
    }
}

fn make(path: &Path) -> Result<()> {
    match fs::create_dir(path) {
        Err(source) if source.kind() != ErrorKind::AlreadyExists => {
            Err(StoreError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Makes a temporary directory and takes the lock that says that its process lives.
fn claim(directory: &Path) -> Result<File> {
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
