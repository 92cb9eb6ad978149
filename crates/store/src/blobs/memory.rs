//! Blobs in memory: for tests and for nodes that only pass sites on. Durable as long as the process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;

use bytes::Bytes;
use nix::sys::memfd::{MFdFlags, memfd_create};
use offprint_model::asset::BlobHash;
use offprint_model::encoding::Encoding;
use offprint_model::time::Timestamp;
use tokio::sync::Mutex;

use super::pack::{NewPack, Variants};
use super::{Answer, BlobDraft, BlobStore, NewBlob, StoredBlob};
use crate::clock::Clock;
use crate::error::{Entity, Result, StoreError};
use crate::failpoints::point;

/// Blobs in memory.
#[derive(Default)]
pub struct Memory {
    blobs: Mutex<Stored>,
    packs: Mutex<Stored>,
}

type Stored = BTreeMap<BlobHash, (Bytes, Timestamp)>;

impl Memory {
    async fn pack(&self, blob: &BlobHash) -> Option<(Bytes, Variants)> {
        let packs = self.packs.lock().await;
        let (bytes, _) = packs.get(blob)?;
        Some((bytes.clone(), Variants::of_header(bytes, bytes.len() as u64)?))
    }
}

impl BlobStore for Memory {
    fn put(&self, blobs: Vec<NewBlob>) -> Answer<'_, ()> {
        Box::pin(async move {
            let now = Clock::now();
            let mut stored = self.blobs.lock().await;
            for blob in blobs {
                point("store::blobs::write")?;
                stored.insert(blob.hash, (blob.bytes, now));
            }
            Ok(())
        })
    }

    fn draft(&self) -> Result<BlobDraft> {
        let file = anonymous_file(b"").map_err(StoreError::io(PathBuf::from("a draft")))?;
        Ok(BlobDraft::new(file, None))
    }

    fn keep(&self, mut draft: BlobDraft) -> Answer<'_, BlobHash> {
        Box::pin(async move {
            let hash = draft.hash();
            let mut bytes = Vec::new();
            let read = draft.file.rewind().and_then(|()| draft.file.read_to_end(&mut bytes));
            read.map_err(StoreError::io(PathBuf::from(hash.to_hex())))?;
            self.put(vec![NewBlob { hash, bytes: bytes.into() }]).await?;
            Ok(hash)
        })
    }

    fn read<'a>(&'a self, hash: &'a BlobHash) -> Answer<'a, Bytes> {
        Box::pin(async move {
            let stored = self.blobs.lock().await;
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
            let stored = self.blobs.lock().await;
            let there =
                |hash: &BlobHash, size| stored.get(hash).is_some_and(|(bytes, _)| bytes.len() as u64 == size);
            let missing = wanted.into_iter().filter(|(hash, size)| !there(hash, *size));
            Ok(missing.map(|(hash, _)| hash).collect())
        })
    }

    fn remove(&self, hashes: Vec<BlobHash>) -> Answer<'_, ()> {
        Box::pin(async move {
            let (mut blobs, mut packs) = (self.blobs.lock().await, self.packs.lock().await);
            for hash in hashes {
                point("store::blobs::remove")?;
                packs.remove(&hash);
                blobs.remove(&hash);
            }
            Ok(())
        })
    }

    fn list(&self, first_byte: u8) -> Answer<'_, Vec<StoredBlob>> {
        Box::pin(async move { Ok(list(&*self.blobs.lock().await, first_byte)) })
    }

    fn put_packs(&self, packs: Vec<NewPack>) -> Answer<'_, ()> {
        Box::pin(async move {
            let now = Clock::now();
            let mut stored = self.packs.lock().await;
            for pack in packs {
                point("store::blobs::write")?;
                stored.insert(pack.blob, (pack.bytes, now));
            }
            Ok(())
        })
    }

    fn variants<'a>(&'a self, blob: &'a BlobHash) -> Answer<'a, Option<Variants>> {
        Box::pin(async move { Ok(self.pack(blob).await.map(|(_, variants)| variants)) })
    }

    fn read_variant<'a>(&'a self, blob: &'a BlobHash, encoding: Encoding) -> Answer<'a, Bytes> {
        Box::pin(async move {
            let found = self.pack(blob).await.and_then(|(bytes, variants)| variants.cut(&bytes, encoding));
            found.ok_or(StoreError::NotFound(Entity::Blob))
        })
    }

    fn open_variant<'a>(
        &'a self,
        blob: &'a BlobHash,
        encoding: Encoding,
    ) -> Answer<'a, (tokio::fs::File, u64)> {
        Box::pin(async move {
            let bytes = self.read_variant(blob, encoding).await?;
            let file = anonymous_file(&bytes).map_err(StoreError::io(PathBuf::from(blob.to_hex())))?;
            Ok((tokio::fs::File::from_std(file), bytes.len() as u64))
        })
    }

    fn unpacked(&self, mut blobs: Vec<BlobHash>) -> Answer<'_, Vec<BlobHash>> {
        Box::pin(async move {
            let packs = self.packs.lock().await;
            blobs.retain(|blob| !packs.contains_key(blob));
            Ok(blobs)
        })
    }

    fn remove_packs(&self, blobs: Vec<BlobHash>) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut packs = self.packs.lock().await;
            for blob in blobs {
                point("store::blobs::remove_pack")?;
                packs.remove(&blob);
            }
            Ok(())
        })
    }

    fn list_packs(&self, first_byte: u8) -> Answer<'_, Vec<StoredBlob>> {
        Box::pin(async move { Ok(list(&*self.packs.lock().await, first_byte)) })
    }
}

fn list(stored: &Stored, first_byte: u8) -> Vec<StoredBlob> {
    let here = stored.iter().filter(|(hash, _)| hash.as_bytes()[0] == first_byte);
    let shown = here.map(|(hash, (bytes, stored))| StoredBlob {
        hash: *hash,
        size: bytes.len() as u64,
        stored: *stored,
    });
    shown.collect()
}

/// A file that has no name and lives in memory, since what is served must be a file.
fn anonymous_file(bytes: &[u8]) -> std::io::Result<File> {
    let mut file = File::from(memfd_create("blob", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}
