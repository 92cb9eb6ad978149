//! Blobs as files of a local directory: `<root>/ab/<64 hex digits>`, and their packs beside them as
//! `<64 hex digits>.variants`.
//!
//! A batch is written under temporary names, made durable, renamed, and made durable again: so whatever has a
//! final name is whole, also after a power cut. Syncing each of thousands of small files would take a disk
//! flush each, 320 to 510 files a second; two `syncfs` for the batch make it some thousands. A few files are
//! synced one by one, because `syncfs` also waits for what others wrote to the disk.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use offprint_model::asset::BlobHash;
use offprint_model::encoding::Encoding;
use offprint_model::time::Timestamp;

use super::pack::{HEADER_BYTES, NewPack, Variants};
use super::sync::GroupSync;
use super::temporary::{Temporary, Written, make};
use super::{Answer, BlobDraft, BlobStore, NewBlob, StoredBlob};
use crate::error::{Entity, Result, StoreError};
use crate::failpoints::point;
use crate::lock::blocking;

/// Up to so many files and bytes are synced one by one.
const SINGLY_FILES_MAX: usize = 8;
const SINGLY_BYTES_MAX: usize = 4 << 20;

const PACK_SUFFIX: &str = ".variants";

/// Blobs in a local directory.
pub struct Directory {
    layout: Arc<Layout>,
    syncs: GroupSync,
}

struct Layout {
    root: PathBuf,
    temporary: Temporary,
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
        let temporary = Temporary::claim(&temporaries, &root.join("opening.lock"))?;
        let handle = File::open(&root).map_err(StoreError::io(&root))?;
        handle.sync_all().map_err(StoreError::io(&root))?;
        let layout = Layout { root: root.clone(), temporary };
        Ok(Self { layout: Arc::new(layout), syncs: GroupSync::new(root, handle) })
    }

    /// Writes files, their final names and contents, so that each is whole or absent whatever happens.
    async fn put_all(&self, mut files: Vec<(PathBuf, Bytes)>) -> Result<()> {
        let mut seen = HashSet::new();
        files.retain(|(name, _)| seen.insert(name.clone()));
        if files.is_empty() {
            return Ok(());
        }
        let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        let singly = files.len() <= SINGLY_FILES_MAX && bytes <= SINGLY_BYTES_MAX;
        let layout = self.layout.clone();
        let written = blocking(move || Written::write(&layout.temporary, &files, singly)).await?;
        if !singly {
            self.syncs.sync().await?;
        }
        point("store::blobs::written")?;
        blocking(move || written.rename(singly)).await?;
        point("store::blobs::renamed")?;
        if !singly {
            self.syncs.sync().await?;
        }
        Ok(())
    }
}

impl Layout {
    fn shelf(&self, first_byte: u8) -> PathBuf {
        self.root.join(format!("{first_byte:02x}"))
    }

    fn path(&self, hash: &BlobHash) -> PathBuf {
        self.shelf(hash.as_bytes()[0]).join(hash.to_hex())
    }

    fn pack(&self, blob: &BlobHash) -> PathBuf {
        self.shelf(blob.as_bytes()[0]).join(blob.to_hex() + PACK_SUFFIX)
    }

    /// The pack of a blob as a file, positioned behind its head. `None`: there is no whole one.
    fn open_pack(&self, blob: &BlobHash) -> Result<Option<(File, Variants)>> {
        let path = self.pack(blob);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(StoreError::io(&path))?,
        };
        let size = file.metadata().map_err(StoreError::io(&path))?.len();
        let mut header = [0; HEADER_BYTES];
        if size < HEADER_BYTES as u64 {
            return Ok(None);
        }
        file.read_exact(&mut header).map_err(StoreError::io(&path))?;
        Ok(Variants::of_header(&header, size).map(|variants| (file, variants)))
    }

    /// A stored variant: the pack positioned at its first byte, and its length.
    fn open_variant(&self, blob: &BlobHash, encoding: Encoding) -> Result<(File, u64)> {
        let found = self.open_pack(blob)?;
        let found = found.filter(|(_, variants)| variants.length(encoding) > 0);
        let (mut file, variants) = found.ok_or(StoreError::NotFound(Entity::Blob))?;
        let start = SeekFrom::Start(variants.offset(encoding));
        file.seek(start).map_err(StoreError::io(self.pack(blob)))?;
        Ok((file, variants.length(encoding)))
    }

    fn read_variant(&self, blob: &BlobHash, encoding: Encoding) -> Result<Bytes> {
        let (mut file, length) = self.open_variant(blob, encoding)?;
        let damaged = |_| StoreError::Corrupt(format!("a variant of {blob:?} is too long to be read"));
        let mut bytes = vec![0; usize::try_from(length).map_err(damaged)?];
        file.read_exact(&mut bytes).map_err(StoreError::io(self.pack(blob)))?;
        Ok(bytes.into())
    }
}

impl BlobStore for Directory {
    fn put(&self, blobs: Vec<NewBlob>) -> Answer<'_, ()> {
        let files = blobs.into_iter().map(|blob| (self.layout.path(&blob.hash), blob.bytes)).collect();
        Box::pin(self.put_all(files))
    }

    fn draft(&self) -> Result<BlobDraft> {
        let (file, path) = self.layout.temporary.create()?;
        Ok(BlobDraft::new(file, Some(path)))
    }

    fn keep(&self, mut draft: BlobDraft) -> Answer<'_, BlobHash> {
        let layout = self.layout.clone();
        Box::pin(blocking(move || {
            let hash = draft.hash();
            let (from, to) = (draft.path.clone().unwrap_or_default(), layout.path(&hash));
            draft.file.sync_data().map_err(StoreError::io(&from))?;
            point("store::blobs::written")?;
            fs::rename(&from, &to).map_err(StoreError::io(&to))?;
            draft.path.take();
            point("store::blobs::renamed")?;
            let shelf = layout.shelf(hash.as_bytes()[0]);
            let opened = File::open(&shelf).map_err(StoreError::io(&shelf))?;
            opened.sync_all().map_err(StoreError::io(&shelf))?;
            Ok(hash)
        }))
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
                remove_file(&layout.pack(&hash))?;
                remove_file(&layout.path(&hash))?;
            }
            Ok(())
        }))
    }

    fn list(&self, first_byte: u8) -> Answer<'_, Vec<StoredBlob>> {
        let path = self.layout.shelf(first_byte);
        Box::pin(blocking(move || list(&path, "")))
    }

    fn put_packs(&self, packs: Vec<NewPack>) -> Answer<'_, ()> {
        let files = packs.into_iter().map(|pack| (self.layout.pack(&pack.blob), pack.bytes)).collect();
        Box::pin(self.put_all(files))
    }

    fn variants<'a>(&'a self, blob: &'a BlobHash) -> Answer<'a, Option<Variants>> {
        let (layout, blob) = (self.layout.clone(), *blob);
        Box::pin(blocking(move || Ok(layout.open_pack(&blob)?.map(|(_, variants)| variants))))
    }

    fn read_variant<'a>(&'a self, blob: &'a BlobHash, encoding: Encoding) -> Answer<'a, Bytes> {
        let (layout, blob) = (self.layout.clone(), *blob);
        Box::pin(blocking(move || layout.read_variant(&blob, encoding)))
    }

    fn open_variant<'a>(
        &'a self,
        blob: &'a BlobHash,
        encoding: Encoding,
    ) -> Answer<'a, (tokio::fs::File, u64)> {
        let (layout, blob) = (self.layout.clone(), *blob);
        Box::pin(blocking(move || {
            let (file, length) = layout.open_variant(&blob, encoding)?;
            Ok((tokio::fs::File::from_std(file), length))
        }))
    }

    fn unpacked(&self, blobs: Vec<BlobHash>) -> Answer<'_, Vec<BlobHash>> {
        let layout = self.layout.clone();
        Box::pin(blocking(move || {
            let mut unpacked = Vec::new();
            for blob in blobs {
                if layout.open_pack(&blob)?.is_none() {
                    unpacked.push(blob);
                }
            }
            Ok(unpacked)
        }))
    }

    fn remove_packs(&self, blobs: Vec<BlobHash>) -> Answer<'_, ()> {
        let layout = self.layout.clone();
        Box::pin(blocking(move || {
            for blob in blobs {
                point("store::blobs::remove_pack")?;
                remove_file(&layout.pack(&blob))?;
            }
            Ok(())
        }))
    }

    fn list_packs(&self, first_byte: u8) -> Answer<'_, Vec<StoredBlob>> {
        let path = self.layout.shelf(first_byte);
        Box::pin(blocking(move || list(&path, PACK_SUFFIX)))
    }
}

/// The files that are named by a hash and this suffix.
fn list(path: &Path, suffix: &str) -> Result<Vec<StoredBlob>> {
    let mut blobs = Vec::new();
    for entry in fs::read_dir(path).map_err(StoreError::io(path))? {
        let entry = entry.map_err(StoreError::io(path))?;
        let name = entry.file_name();
        let hash = name.to_str().and_then(|name| name.strip_suffix(suffix));
        // What is not named so is not ours to touch.
        let Some(hash) = hash.and_then(|name| blake3::Hash::from_hex(name).ok()) else { continue };
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

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(StoreError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn absent_or_io(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    move |source| match source.kind() {
        ErrorKind::NotFound => StoreError::NotFound(Entity::Blob),
        _ => StoreError::Io { path: path.to_owned(), source },
    }
}
