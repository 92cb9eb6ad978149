//! Uploads: keys that clients claim, and the bytes behind them.
//!
//! A key is looked up inside its account only. It carries the extension of a file name, which an upload does
//! not: the upload tries the extensions of its content type and notes the one that fits, so that a
//! deployment can check thousands of keys without reading the bytes again.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use offprint_model::asset::{AssetKey, BlobHash, KeyHasher};
use offprint_model::content_type;
use offprint_model::time::Timestamp;

use crate::blobs::NewBlob;
use crate::clock::Clock;
use crate::db::{Rows, values};
use crate::error::{Result, StoreError};
use crate::lock::blocking;
use crate::open::{Store, to_the_end};
use crate::projects::json;
use crate::sql;
use crate::tokens::AccountScope;

/// An asset as it was uploaded.
#[derive(Clone)]
pub struct Upload {
    /// The key that the client claims for it.
    pub key: AssetKey,
    /// Its bytes.
    pub bytes: Bytes,
    /// The media type that came with it.
    pub content_type: String,
    /// Has hashed the base64 text of the bytes, to check the key.
    pub key_hasher: KeyHasher,
}

/// What [`Store::put_assets`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PutReport {
    /// Keys that lead to bytes now.
    pub keys: u64,
    /// Blobs that were not there before.
    pub blobs: u64,
    /// Their length in bytes, in all.
    pub bytes: u64,
}

/// An upload with what was computed from it.
struct Checked {
    key: AssetKey,
    content_type: String,
    extension: Option<String>,
    hash: BlobHash,
    bytes: Bytes,
}

impl Store {
    /// The keys that the account lacks, each once, in the order given. The others are kept for another grace
    /// time, so that a deployment which is being uploaded finds them.
    pub async fn missing_keys(&self, scope: &AccountScope, keys: &[AssetKey]) -> Result<Vec<AssetKey>> {
        let wanted = json_of_keys(keys)?;
        // First, for a collection may come between: what it took is then seen to be missing.
        self.refresh(scope, &wanted).await?;
        let mut missing = Vec::new();
        let mut seen = HashSet::new();
        for row in self.db().all(sql::MISSING_KEYS.of(self.db().engine()), values![scope.seq, wanted]).await?
        {
            let key: String = row.get("key")?;
            if seen.insert(key.clone()) {
                missing.push(AssetKey::parse(&key).map_err(|error| StoreError::Corrupt(error.to_string()))?);
            }
        }
        Ok(missing)
    }

    /// Stores assets. When it returns, all are durable and their keys lead to them; when it fails, none of
    /// the keys has changed. Storing an asset twice, also at the same time, is storing it once.
    ///
    /// Keys are not judged here, because the upload names no file: see [`Store::create_deployment`].
    pub async fn put_assets(&self, scope: &AccountScope, uploads: Vec<Upload>) -> Result<PutReport> {
        let (store, account) = (self.clone(), scope.seq);
        to_the_end(async move { store.put_assets_now(account, uploads).await }).await
    }

    async fn put_assets_now(&self, account: i64, uploads: Vec<Upload>) -> Result<PutReport> {
        let checked = blocking(move || Ok(check(uploads))).await?;
        let _guard = self.collection_lock().upload().await?;
        let known = self.known_blobs(checked.iter().map(|upload| &upload.hash)).await?;
        let mut new: HashMap<BlobHash, Bytes> = HashMap::new();
        for upload in checked.iter().filter(|upload| !known.contains(&upload.hash)) {
            new.insert(upload.hash, upload.bytes.clone());
        }
        let report = PutReport {
            keys: checked.iter().map(|upload| &upload.key).collect::<HashSet<_>>().len() as u64,
            blobs: new.len() as u64,
            bytes: new.values().map(|bytes| bytes.len() as u64).sum(),
        };
        let rows: Vec<(String, usize)> =
            new.iter().map(|(hash, bytes)| (hash.to_hex(), bytes.len())).collect();
        let new = new.into_iter().map(|(hash, bytes)| NewBlob { hash, bytes }).collect();
        self.blob_store().put(new).await?;

        let keys: Vec<_> = checked
            .iter()
            .map(|put| (put.key.as_str(), put.hash.to_hex(), &put.content_type, &put.extension))
            .collect();
        let (keys, now) = (json(&keys)?, Clock::now());
        let tx = self.db().write("put_assets").await?;
        if !rows.is_empty() {
            tx.run(sql::ADD_BLOBS.of(tx.engine()), values![json(&rows)?, now]).await?;
        }
        tx.run(sql::ADD_KEYS.of(tx.engine()), values![account, keys, now]).await?;
        tx.commit().await?;
        Ok(report)
    }

    /// Keeps keys for another grace time. Unknown ones are passed over.
    pub async fn refresh_keys(&self, scope: &AccountScope, keys: &[AssetKey]) -> Result<()> {
        self.refresh(scope, &json_of_keys(keys)?).await
    }

    /// Skips keys that were refreshed a short part of the grace time ago, so that deploying an unchanged site
    /// every minute does not rewrite its keys every minute.
    async fn refresh(&self, scope: &AccountScope, keys: &str) -> Result<()> {
        let now = Clock::now();
        let stale = ago(now, self.options().blob_grace / 8);
        if self
            .db()
            .one(sql::ANY_STALE_KEY.of(self.db().engine()), values![scope.seq, keys, stale])
            .await?
            .is_none()
        {
            return Ok(());
        }
        let tx = self.db().write("refresh_keys").await?;
        tx.run(sql::REFRESH_KEYS.of(tx.engine()), values![scope.seq, keys, stale, now]).await?;
        tx.commit().await
    }

    /// Which of these blobs have a row, and so are durable. To be asked under the lock against collection.
    pub(crate) async fn known_blobs<'a>(
        &self,
        hashes: impl Iterator<Item = &'a BlobHash> + Send,
    ) -> Result<HashSet<BlobHash>> {
        let hashes: Vec<String> = hashes.map(BlobHash::to_hex).collect();
        let mut known = HashSet::new();
        for row in self.db().all(sql::KNOWN_BLOBS.of(self.db().engine()), values![json(&hashes)?]).await? {
            known.insert(hash_of(row.get("hash")?)?);
        }
        Ok(known)
    }
}

/// A stored hash.
pub(crate) fn hash_of(bytes: Vec<u8>) -> Result<BlobHash> {
    let bytes = bytes.try_into().map_err(|_| StoreError::Corrupt("a hash does not have 32 bytes".into()))?;
    Ok(BlobHash::from_bytes(bytes))
}

/// The time so long before another.
pub(crate) fn ago(now: Timestamp, before: Duration) -> Timestamp {
    let micros = i64::try_from(before.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_sub(micros))
}

fn json_of_keys(keys: &[AssetKey]) -> Result<String> {
    json(&keys.iter().map(AssetKey::as_str).collect::<Vec<_>>())
}

/// Hashes the bytes and looks for the extension to which the key belongs.
fn check(uploads: Vec<Upload>) -> Vec<Checked> {
    let mut extensions: HashMap<String, Vec<String>> = HashMap::new();
    let check = |upload: Upload| {
        let candidates = extensions.entry(upload.content_type.clone()).or_insert_with(|| {
            let lower = || content_type::extensions_of(&upload.content_type).map(str::to_owned);
            // Cameras write `.JPG`.
            let upper = lower().map(|extension| extension.to_ascii_uppercase());
            lower().chain([String::new()]).chain(upper).collect()
        });
        let fits = |extension: &&String| upload.key_hasher.key(extension) == upload.key;
        Checked {
            extension: candidates.iter().find(fits).cloned(),
            key: upload.key,
            content_type: upload.content_type,
            hash: BlobHash::of(&upload.bytes),
            bytes: upload.bytes,
        }
    };
    uploads.into_iter().map(check).collect()
}
