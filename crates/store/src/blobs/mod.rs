//! Blobs: bytes named by what we computed from them.

mod directory;
mod draft;
mod memory;
mod pack;
mod sync;
mod temporary;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use offprint_model::asset::BlobHash;
use offprint_model::encoding::Encoding;
use offprint_model::time::Timestamp;

use crate::error::Result;

pub use directory::Directory;
pub use draft::BlobDraft;
pub use memory::Memory;
pub use pack::{COMPRESSED_BYTES_MIN, NewPack, Variants};

/// What the methods of [`BlobStore`] return.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A blob to be stored.
#[derive(Clone, Debug)]
pub struct NewBlob {
    /// The hash of the bytes. The caller has computed it.
    pub hash: BlobHash,
    /// The bytes.
    pub bytes: Bytes,
}

/// A place for blobs. Contents never change, so no method can see or leave a half-written blob.
pub trait BlobStore: Send + Sync + 'static {
    /// Stores all of them. When it returns, each is durable and readable under its name. When it fails, some
    /// may be; none is damaged. Storing a blob that is there is allowed, also at the same time as somebody
    /// else, and replaces it by the same bytes atomically.
    fn put(&self, blobs: Vec<NewBlob>) -> Answer<'_, ()>;

    /// Begins a blob of which neither length nor hash are known. Waits for the disk, a moment.
    fn draft(&self) -> Result<BlobDraft>;

    /// Stores what was written, under its hash. When it returns, it is durable; like [`BlobStore::put`] otherwise.
    fn keep(&self, draft: BlobDraft) -> Answer<'_, BlobHash>;

    /// All bytes of a blob. `NotFound` when it is not there. The bytes are not hashed again.
    fn read<'a>(&'a self, hash: &'a BlobHash) -> Answer<'a, Bytes>;

    /// A blob as a file positioned at its start, and its length in bytes. `NotFound` when it is not there.
    /// The file stays readable when the blob is removed.
    fn open<'a>(&'a self, hash: &'a BlobHash) -> Answer<'a, (tokio::fs::File, u64)>;

    /// Which of these blobs, given with their lengths, are not there in that length.
    fn missing(&self, wanted: Vec<(BlobHash, u64)>) -> Answer<'_, Vec<BlobHash>>;

    /// Removes blobs and their packs; those that are not there are passed over. Durable at some later time
    /// only: after a crash, removed blobs may be there again.
    fn remove(&self, hashes: Vec<BlobHash>) -> Answer<'_, ()>;

    /// The blobs whose hash begins with this byte, with the time each was stored. What is put or removed
    /// meanwhile may be listed or not.
    fn list(&self, first_byte: u8) -> Answer<'_, Vec<StoredBlob>>;

    /// Stores packs under the names of their blobs, which need not be there. When it returns, each is durable;
    /// when it fails, some may be, and none is torn. A pack that is there is replaced atomically.
    fn put_packs(&self, packs: Vec<NewPack>) -> Answer<'_, ()>;

    /// What the pack of a blob holds. `None` when there is no whole one.
    fn variants<'a>(&'a self, blob: &'a BlobHash) -> Answer<'a, Option<Variants>>;

    /// All bytes of a variant. `NotFound` when there is none. The bytes are not checked.
    fn read_variant<'a>(&'a self, blob: &'a BlobHash, encoding: Encoding) -> Answer<'a, Bytes>;

    /// A file positioned at the first byte of a variant, and the variant's length in bytes, behind which the
    /// file may go on. `NotFound` when there is none. The file stays readable when the pack is removed.
    fn open_variant<'a>(
        &'a self,
        blob: &'a BlobHash,
        encoding: Encoding,
    ) -> Answer<'a, (tokio::fs::File, u64)>;

    /// Which of these blobs, in the order given, have no whole pack.
    fn unpacked(&self, blobs: Vec<BlobHash>) -> Answer<'_, Vec<BlobHash>>;

    /// Removes packs; those that are not there are passed over. After a crash they may be there again.
    fn remove_packs(&self, blobs: Vec<BlobHash>) -> Answer<'_, ()>;

    /// The packs of blobs whose hash begins with this byte, like [`BlobStore::list`].
    fn list_packs(&self, first_byte: u8) -> Answer<'_, Vec<StoredBlob>>;
}

/// A blob as [`BlobStore::list`] finds it, or a pack.
#[derive(Clone, Copy, Debug)]
pub struct StoredBlob {
    /// Its name; a pack has that of its blob.
    pub hash: BlobHash,
    /// Its length in bytes.
    pub size: u64,
    /// When it was stored.
    pub stored: Timestamp,
}

/// The blobs of a store, for reading.
#[derive(Clone)]
pub struct Blobs(pub(crate) Arc<dyn BlobStore>);

impl Blobs {
    /// All bytes of a blob.
    ///
    /// # Errors
    /// `NotFound` when it is not there, `Io` when the disk fails.
    pub async fn read(&self, hash: &BlobHash) -> Result<Bytes> {
        self.0.read(hash).await
    }

    /// A blob as a file, and its length in bytes.
    ///
    /// # Errors
    /// `NotFound` when it is not there, `Io` when the disk fails.
    pub async fn open(&self, hash: &BlobHash) -> Result<(tokio::fs::File, u64)> {
        self.0.open(hash).await
    }

    /// Which compressed variants of a blob are stored. `None`: they have not been made yet.
    ///
    /// # Errors
    /// `Io` when the disk fails.
    pub async fn variants(&self, hash: &BlobHash) -> Result<Option<Variants>> {
        self.0.variants(hash).await
    }

    /// All bytes of a stored variant of a blob. Like those of a blob they are not checked.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Io` when the disk fails.
    pub async fn read_variant(&self, hash: &BlobHash, encoding: Encoding) -> Result<Bytes> {
        self.0.read_variant(hash, encoding).await
    }

    /// A file positioned at the first byte of a stored variant, and the variant's length in bytes. The file
    /// goes on behind the variant: read no more than its length.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Io` when the disk fails.
    pub async fn open_variant(&self, hash: &BlobHash, encoding: Encoding) -> Result<(tokio::fs::File, u64)> {
        self.0.open_variant(hash, encoding).await
    }
}
