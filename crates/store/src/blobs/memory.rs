//! Blobs in memory: for tests and for nodes that only pass sites on. Durable as long as the process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::PathBuf;

use bytes::Bytes;
use nix::sys::memfd::{MFdFlags, memfd_create};
use offprint_model::asset::BlobHash;
use offprint_model::time::Timestamp;
use tokio::sync::Mutex;

use super::{Answer, BlobStore, NewBlob, StoredBlob};
use crate::clock::Clock;
use crate::error::{Entity, StoreError};
use crate::failpoints::point;

/// Blobs in memory.
#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<BlobHash, (Bytes, Timestamp)>>);

impl BlobStore for Memory {
    fn put(&self, blobs: Vec<NewBlob>) -> Answer<'_, ()> {
        Box::pin(async move {
            let now = Clock::now();
            let mut stored = self.0.lock().await;
            for blob in blobs {
                point("store::blobs::write")?;
                stored.insert(blob.hash, (blob.bytes, now));
            }
            Ok(())
        })
    }

    fn read<'a>(&'a self, hash: &'a BlobHash) -> Answer<'a, Bytes> {
        Box::pin(async move {
            let stored = self.0.lock().await;
            stored.get(hash).map(|(bytes, _)| bytes.clone()).ok_or(StoreError::NotFound(Entity::Blob))
        })
    }

    fn open<'a>(&'a self, hash: &'a BlobHash) -> Answer<'a, (tokio::fs::File, u64)> {
        Box::pin(async move {
            let bytes = self.read(hash).await?;
            let file = anonymous_file(&bytes).map_err(StoreError::io(PathBuf::from(hash.to_hex())))?;
            Ok((tokio::fs::File::from_std(file), bytes.len() as u64))
        })
    }

    fn missing(&self, wanted: Vec<(BlobHash, u64)>) -> Answer<'_, Vec<BlobHash>> {
        Box::pin(async move {
            let stored = self.0.lock().await;
            let there =
                |hash: &BlobHash, size| stored.get(hash).is_some_and(|(bytes, _)| bytes.len() as u64 == size);
            let missing = wanted.into_iter().filter(|(hash, size)| !there(hash, *size));
            Ok(missing.map(|(hash, _)| hash).collect())
        })
    }

    fn remove(&self, hashes: Vec<BlobHash>) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut stored = self.0.lock().await;
            for hash in hashes {
                point("store::blobs::remove")?;
                stored.remove(&hash);
            }
            Ok(())
        })
    }

    fn list(&self, first_byte: u8) -> Answer<'_, Vec<StoredBlob>> {
        Box::pin(async move {
            let stored = self.0.lock().await;
            let here = stored.iter().filter(|(hash, _)| hash.as_bytes()[0] == first_byte);
            let shown = here.map(|(hash, (bytes, stored))| StoredBlob {
                hash: *hash,
                size: bytes.len() as u64,
                stored: *stored,
            });
            Ok(shown.collect())
        })
    }
}

/// A file that has no name and lives in memory, since what is served must be a file.
fn anonymous_file(bytes: &[u8]) -> std::io::Result<File> {
    let mut file = File::from(memfd_create("blob", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}
