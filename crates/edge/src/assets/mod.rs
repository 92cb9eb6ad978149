//! The bytes of assets: from memory when they are hot or fit there, streamed from the blob store otherwise.

mod blob;
mod meter;

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use offprint_model::encoding::EncodingSet;
use offprint_model::rules::analytics;
use offprint_store::compress::{Effort, compress};
use offprint_store::{Clock, Store, StoreError};

use crate::body::EdgeBody;
use crate::edge::CacheOutcome;
use crate::interned::Interned;
use crate::shelf::Shelf;
use meter::{Meter, Reserved};

pub(crate) use blob::{Blob, BlobKey, Form, Hints};

/// Longest asset that is held in memory, in bytes, however large the cache is.
const HELD_BYTES_MAX: u64 = 16 << 20;
/// Pages longer than this are read through on a thread of their own.
const SCANNED_INLINE_MAX: usize = 256 << 10;

/// Reads assets and keeps the hot ones, up to a number of bytes.
pub(crate) struct Assets {
    store: Store,
    shelf: Shelf<Blob>,
    /// Sites find the blobs that they share here, once for each asset.
    blobs: Mutex<Interned<BlobKey, Blob>>,
    meter: Arc<Meter>,
    held_bytes_max: u64,
}

/// Bytes to be sent, and where they came from.
pub(crate) struct Content {
    pub(crate) body: EdgeBody,
    pub(crate) cache: CacheOutcome,
}

impl Assets {
    pub(crate) fn new(store: Store, bytes_max: u64) -> Self {
        Self {
            store,
            shelf: Shelf::new(bytes_max),
            blobs: Mutex::default(),
            // Beyond what is cached: what was let go of while a client still takes it.
            meter: Meter::new(bytes_max + bytes_max / 2 + (16 << 20)),
            held_bytes_max: HELD_BYTES_MAX.min(bytes_max / 8),
        }
    }

    /// The blob of an asset of this length.
    pub(crate) fn blob(&self, key: BlobKey, size: u64) -> Arc<Blob> {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.of(key, |key| Blob::new(key, size))
    }

    /// The forms besides the plain one in which the blob can be sent now.
    pub(crate) async fn encodings(&self, blob: &Blob) -> EncodingSet {
        if let Some(known) = self.known_encodings(blob) {
            return known;
        }
        if !blob.may_look(Clock::now()) {
            return EncodingSet::EMPTY;
        }
        Box::pin(self.look_for_variants(blob)).await
    }

    /// The same; `None` where it is time to look for variants.
    pub(crate) fn known_encodings(&self, blob: &Blob) -> Option<EncodingSet> {
        if let Some(variants) = blob.variants.get() {
            return Some(variants.encodings());
        }
        if blob.key.token.is_some() {
            // Nobody stores these: they are made from the page that is held.
            return Some(if blob.size <= self.held_bytes_max {
                EncodingSet::ALL
            } else {
                EncodingSet::EMPTY
            });
        }
        (!blob.is_look_due(Clock::now())).then_some(EncodingSet::EMPTY)
    }

    async fn look_for_variants(&self, blob: &Blob) -> EncodingSet {
        match self.store.blobs().variants(&blob.key.hash).await {
            Ok(Some(variants)) => blob.variants.get_or_init(|| variants).encodings(),
            Ok(None) => EncodingSet::EMPTY,
            Err(error) => {
                tracing::warn!(blob = ?blob.key.hash, %error, "cannot look for compressed variants");
                EncodingSet::EMPTY
            }
        }
    }

    /// The length of a form, where that is known without reading it.
    pub(crate) fn length(blob: &Blob, form: Form) -> Option<u64> {
        blob.key.token.is_none().then(|| length_of(blob, form))
    }

    /// Whether an asset of this length is changed or scanned on its way out.
    pub(crate) const fn is_held(&self, size: u64) -> bool {
        size <= self.held_bytes_max
    }

    /// What a page says about early hints. `None` where it is too long to be held.
    ///
    /// # Errors
    /// The page cannot be read.
    pub(crate) async fn hints<'b>(&self, blob: &'b Arc<Blob>) -> Result<Option<&'b Hints>, StoreError> {
        if let Some(hints) = blob.known_hints() {
            return Ok(Some(hints));
        }
        let Some((page, _)) = self.hold(blob, Form::Plain).await? else { return Ok(None) };
        if page.len() > SCANNED_INLINE_MAX {
            let scanned = Arc::clone(blob);
            let scan = tokio::task::spawn_blocking(move || {
                scanned.learn_hints(&page);
            });
            scan.await.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        } else {
            blob.learn_hints(&page);
        }
        Ok(blob.known_hints())
    }

    /// The bytes of a blob in a form, or a part of them.
    ///
    /// # Errors
    /// They cannot be read.
    pub(crate) async fn content(
        &self,
        blob: &Arc<Blob>,
        form: Form,
        part: Option<Range<u64>>,
    ) -> Result<Content, StoreError> {
        match blob.bytes(form) {
            Some(bytes) => Ok(Content { body: body_of(&bytes, part), cache: CacheOutcome::Hit }),
            // Boxed: most requests find their bytes, and should not carry the room for this around.
            None => Box::pin(self.fetch(blob, form, part)).await,
        }
    }

    async fn fetch(
        &self,
        blob: &Arc<Blob>,
        form: Form,
        part: Option<Range<u64>>,
    ) -> Result<Content, StoreError> {
        if let Some((bytes, cache)) = self.hold(blob, form).await? {
            return Ok(Content { body: body_of(&bytes, part), cache });
        }
        let (mut file, length) = self.open(blob, form).await?;
        let part = part.unwrap_or(0..length);
        if part.start > 0 {
            let moved = file.seek(SeekFrom::Current(i64::try_from(part.start).unwrap_or(i64::MAX)));
            moved.map_err(|error| StoreError::Corrupt(format!("blob {:?}: {error}", blob.key.hash)))?;
        }
        Ok(Content { body: EdgeBody::stream(file, part.end - part.start), cache: CacheOutcome::Stream })
    }

    /// The bytes in memory; they are read if they are not there. `None`: they are too many. Requests for
    /// bytes that are being read wait for that read.
    async fn hold(&self, blob: &Arc<Blob>, form: Form) -> Result<Option<(Bytes, CacheOutcome)>, StoreError> {
        if let Some(bytes) = blob.bytes(form) {
            return Ok(Some((bytes, CacheOutcome::Hit)));
        }
        let length = length_of(blob, form);
        if length > self.held_bytes_max {
            return Ok(None);
        }
        let _turn = self.shelf.turn(blob.key.hash.as_bytes()[0]).await;
        if let Some(bytes) = blob.bytes(form) {
            return Ok(Some((bytes, CacheOutcome::Hit)));
        }
        let room = match self.meter.reserve(length) {
            Some(room) => room,
            None if blob.key.token.is_some() => self.meter.reserve_anyway(length),
            None => return Ok(None),
        };
        let bytes = self.read(blob, form, room).await?;
        // Beside the bytes: the slots, the counters, the place on the shelf.
        self.shelf.put(blob, form.slot(), Arc::new(bytes.clone()), bytes.len() as u64 + 256);
        Ok(Some((bytes, CacheOutcome::Miss)))
    }

    async fn read(&self, blob: &Blob, form: Form, room: Reserved) -> Result<Bytes, StoreError> {
        let blobs = self.store.blobs();
        let bytes = match (form, &blob.key.token) {
            (Form::Plain, None) => blobs.read(&blob.key.hash).await?,
            (Form::Coded(encoding), None) => blobs.read_variant(&blob.key.hash, encoding).await?,
            (form, Some(token)) => {
                let page = blobs.read(&blob.key.hash).await?;
                let token = Arc::clone(token);
                let made = tokio::task::spawn_blocking(move || changed_page(page, form, &token)).await;
                made.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| {
                    StoreError::Corrupt(format!("page {:?} cannot be changed: {error}", blob.key.hash))
                })?
            }
        };
        Ok(room.hold(bytes))
    }

    async fn open(&self, blob: &Blob, form: Form) -> Result<(File, u64), StoreError> {
        let blobs = self.store.blobs();
        let (file, length) = match form {
            Form::Plain => blobs.open(&blob.key.hash).await?,
            Form::Coded(encoding) => blobs.open_variant(&blob.key.hash, encoding).await?,
        };
        if length != length_of(blob, form) {
            let (hash, size) = (&blob.key.hash, blob.size);
            return Err(StoreError::Corrupt(format!("blob {hash:?} has {length} bytes and not {size}")));
        }
        Ok((file.into_std().await, length))
    }
}

fn body_of(bytes: &Bytes, part: Option<Range<u64>>) -> EdgeBody {
    EdgeBody::whole(match part {
        None => bytes.clone(),
        Some(part) => bytes.slice(part.start as usize..part.end as usize),
    })
}

/// How long a form is; of pages that are changed on the way out, how long they were before.
fn length_of(blob: &Blob, form: Form) -> u64 {
    match (form, blob.variants.get()) {
        (Form::Coded(encoding), Some(variants)) => variants.length(encoding),
        _ => blob.size,
    }
}

/// A page with the Web Analytics snippet, compressed where asked for.
fn changed_page(page: Bytes, form: Form, token: &str) -> io::Result<Bytes> {
    let page = analytics::inject(&page, token).map_or(page, Bytes::from);
    match form {
        Form::Plain => Ok(page),
        Form::Coded(encoding) => compress(&page, encoding, Effort::Quick).map(Bytes::from),
    }
}
