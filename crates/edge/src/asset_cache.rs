//! The bytes of assets: small ones from memory, large ones as open files.

use std::fs::File;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::HeaderValue;
use offprint_model::asset::BlobHash;
use offprint_model::request_path::RequestUrl;
use offprint_model::rules::early_hints::EarlyHints;
use offprint_store::{Store, StoreError};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Reads assets and keeps the hot ones, up to a number of bytes.
pub(crate) struct AssetCache {
    store: Store,
    assets: Cache<BlobHash, Arc<HeldAsset>, Weight>,
    held_bytes_max: u64,
}

/// An asset in memory.
pub(crate) struct HeldAsset {
    bytes: Bytes,
    /// Found on first use: other assets than pages are never scanned.
    hints: OnceLock<Hints>,
}

enum Hints {
    None,
    Constant(HeaderValue),
    /// The page has a `<base>`: the header depends on the request's URL.
    ByUrl(EarlyHints),
}

/// An asset that is ready to be sent.
pub(crate) enum AssetContent {
    /// From memory.
    Held(Arc<HeldAsset>),
    /// From a file.
    File(File),
}

#[derive(Clone)]
struct Weight;

impl Weighter<BlobHash, Arc<HeldAsset>> for Weight {
    fn weight(&self, _: &BlobHash, asset: &Arc<HeldAsset>) -> u64 {
        // Beside the bytes: key, pointers, the cache's own slot.
        asset.bytes.len() as u64 + 256
    }
}

impl AssetCache {
    pub(crate) fn new(store: Store, bytes_max: u64, held_bytes_max: u64) -> Self {
        // The first number only sizes the tables; the bytes are the limit.
        let assets = Cache::with_weighter(1024, bytes_max, Weight);
        // A cache takes nothing that is larger than one of its shards, of which there are several a core:
        // such assets are better streamed than read whole again and again.
        let held_bytes_max = held_bytes_max.min(assets.shard_capacity() / 2);
        Self { store, assets, held_bytes_max }
    }

    /// The content of a blob of this size. Requests for a blob that is being read wait for that read.
    pub(crate) async fn content(&self, blob: &BlobHash, size: u64) -> Result<AssetContent, StoreError> {
        if let Some(held) = self.assets.get(blob) {
            return Ok(AssetContent::Held(held));
        }
        if size > self.held_bytes_max {
            return self.open(blob, size).await;
        }
        let read = async { self.store.blobs().read(blob).await.map(|bytes| Arc::new(HeldAsset::new(bytes))) };
        self.assets.get_or_insert_async(blob, read).await.map(AssetContent::Held)
    }

    async fn open(&self, blob: &BlobHash, size: u64) -> Result<AssetContent, StoreError> {
        let (file, length) = self.store.blobs().open(blob).await?;
        if length != size {
            return Err(StoreError::Corrupt(format!("blob {blob:?} has {length} bytes and not {size}")));
        }
        Ok(AssetContent::File(file.into_std().await))
    }
}

impl HeldAsset {
    fn new(bytes: Bytes) -> Self {
        Self { bytes, hints: OnceLock::new() }
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The `Link` header of a page.
    pub(crate) fn link(&self, url: &RequestUrl<'_>) -> Option<HeaderValue> {
        match self.hints.get_or_init(|| Hints::scan(&self.bytes)) {
            Hints::None => None,
            Hints::Constant(value) => Some(value.clone()),
            Hints::ByUrl(hints) => hints.header(url).and_then(|value| HeaderValue::try_from(value).ok()),
        }
    }
}

impl Hints {
    fn scan(page: &[u8]) -> Self {
        let hints = EarlyHints::scan(page);
        if hints.is_empty() {
            return Self::None;
        }
        if !hints.is_constant() {
            return Self::ByUrl(hints);
        }
        hints
            .constant_header()
            .and_then(|value| HeaderValue::try_from(value).ok())
            .map_or(Self::None, Self::Constant)
    }
}
