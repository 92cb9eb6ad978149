//! R2: the objects of buckets.
//!
//! Rows and blobs are the store's; here bytes come in, with their digests, and go out again, in pieces of bounded
//! size.

mod cursor;
mod digests;
mod reader;
mod writer;

use md5::{Digest, Md5};
use offprint_model::object::{
    Checksum, ChecksumAlgorithm, Conditions, Object, ObjectKey, ObjectRange, R2Refusal, hex,
};
use offprint_store::{
    BucketSize, CompletedPart, NewObject, NewPart, ObjectDescription, ObjectList, ObjectPage, Resource,
    Store, StoreError,
};

use crate::error::ResourceError;

pub use cursor::{cursor_of, position_of};
pub use reader::ObjectReader;
pub use writer::ObjectWriter;

/// Why R2 does not do something.
#[derive(Clone, Debug, thiserror::Error)]
pub enum R2Error {
    /// Its rules do not allow it.
    #[error(transparent)]
    Refused(#[from] R2Refusal),
    /// The contents cannot be used.
    #[error(transparent)]
    Contents(#[from] ResourceError),
}

impl From<StoreError> for R2Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Object(refusal) => Self::Refused(refusal),
            other => Self::Contents(other.into()),
        }
    }
}

type Result<T> = std::result::Result<T, R2Error>;

/// What [`R2::get`] found.
pub enum Got {
    /// The object: its bytes from an offset, so many.
    Object {
        /// It.
        object: Object,
        /// The first of the bytes.
        offset: u64,
        /// How many there are.
        length: u64,
        /// The bytes.
        reader: ObjectReader,
    },
    /// The conditions do not hold for this one.
    Unmet(Object),
}

/// An object to be put.
pub struct Put {
    /// Its key.
    pub key: ObjectKey,
    /// What is said of it.
    pub description: ObjectDescription,
    /// What its bytes must have.
    pub expected: Option<Checksum>,
    /// When it is to be put.
    pub conditions: Conditions,
}

/// The contents of all R2 buckets.
pub struct R2 {
    store: Store,
}

impl R2 {
    pub(crate) const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Begins to take the bytes of an object or a part in; `checksum` is made of them beside the MD5.
    ///
    /// # Errors
    /// The disk fails.
    pub fn writer(&self, checksum: Option<ChecksumAlgorithm>) -> Result<ObjectWriter> {
        Ok(ObjectWriter::new(self.store.draft_blob()?, checksum))
    }

    /// Puts an object. Durable when this returns.
    ///
    /// # Errors
    /// A checksum or a condition does not hold; the bucket was deleted; the contents cannot be changed.
    pub async fn put(&self, bucket: &Resource, put: Put, writer: ObjectWriter) -> Result<Object> {
        let (draft, checksums) = writer.finish().await?;
        if let Some(provided) = put.expected {
            let actual = checksums.iter().find(|sum| sum.algorithm == provided.algorithm);
            match actual {
                Some(actual) if *actual == provided => {}
                Some(actual) => {
                    return Err(R2Refusal::BadDigest { provided, actual: actual.clone() }.into());
                }
                None => {
                    return Err(R2Refusal::InvalidArgument("The checksum was not computed.".into()).into());
                }
            }
        }
        let etag = checksums.first().map(Checksum::to_hex).unwrap_or_default();
        let new = NewObject {
            key: put.key,
            description: put.description,
            checksums,
            etag,
            conditions: put.conditions,
        };
        Ok(self.store.put_object(bucket, new, draft).await?)
    }

    /// An object, without its bytes.
    ///
    /// # Errors
    /// There is none; the contents cannot be read.
    pub async fn head(&self, bucket: &Resource, key: &ObjectKey) -> Result<Object> {
        Ok(self.store.object(bucket, key).await?)
    }

    /// An object with all its bytes or some. `range` chooses them, once the size is known.
    ///
    /// # Errors
    /// There is no such object or range; the contents cannot be read.
    pub async fn get(
        &self,
        bucket: &Resource,
        key: &ObjectKey,
        conditions: &Conditions,
        range: impl FnOnce(u64) -> Option<ObjectRange> + Send,
    ) -> Result<Got> {
        let (object, parts) = self.store.object_with_parts(bucket, key).await?;
        if !conditions.hold(Some((&object.etag, object.uploaded))) {
            return Ok(Got::Unmet(object));
        }
        let (offset, length) = match range(object.size) {
            None => (0, object.size),
            Some(range) => range.within(object.size)?,
        };
        let reader = ObjectReader::new(self.store.blobs().clone(), parts, offset, length);
        Ok(Got::Object { object, offset, length, reader })
    }

    /// A page of a bucket's objects.
    ///
    /// # Errors
    /// The contents cannot be read.
    pub async fn list(&self, bucket: &Resource, list: &ObjectList) -> Result<ObjectPage> {
        Ok(self.store.list_objects(bucket, list).await?)
    }

    /// Deletes objects; keys without one are passed over.
    ///
    /// # Errors
    /// The contents cannot be changed.
    pub async fn delete(&self, bucket: &Resource, keys: &[ObjectKey]) -> Result<()> {
        Ok(self.store.delete_objects(bucket, keys).await?)
    }

    /// How much is in a bucket.
    ///
    /// # Errors
    /// The contents cannot be read.
    pub async fn size(&self, bucket: &Resource) -> Result<BucketSize> {
        Ok(self.store.bucket_size(bucket).await?)
    }

    /// Begins an upload of several parts. Yields its id.
    ///
    /// # Errors
    /// The bucket was deleted; the contents cannot be changed.
    pub async fn begin_upload(
        &self,
        bucket: &Resource,
        key: &ObjectKey,
        description: &ObjectDescription,
    ) -> Result<String> {
        Ok(self.store.begin_upload(bucket, key, description).await?)
    }

    /// Puts a part. Yields its entity tag.
    ///
    /// # Errors
    /// There is no such upload; the contents cannot be changed.
    pub async fn put_part(
        &self,
        bucket: &Resource,
        upload: String,
        key: ObjectKey,
        number: u32,
        writer: ObjectWriter,
    ) -> Result<String> {
        let (draft, checksums) = writer.finish().await?;
        let md5 = checksums.first().and_then(|sum| <[u8; 16]>::try_from(&sum.digest[..]).ok());
        let part = NewPart { upload, key, number, md5: md5.unwrap_or_default() };
        Ok(self.store.put_part(bucket, part, draft).await?)
    }

    /// Makes an object of parts.
    ///
    /// # Errors
    /// There is no such upload, or a part is not as it should be; the contents cannot be changed.
    pub async fn complete_upload(
        &self,
        bucket: &Resource,
        upload: &str,
        key: &ObjectKey,
        parts: &[CompletedPart],
    ) -> Result<Object> {
        Ok(self.store.complete_upload(bucket, upload, key, parts, etag_of_parts).await?)
    }

    /// Ends an upload without an object.
    ///
    /// # Errors
    /// The contents cannot be changed.
    pub async fn abort_upload(&self, bucket: &Resource, upload: &str, key: &ObjectKey) -> Result<()> {
        Ok(self.store.abort_upload(bucket, upload, key).await?)
    }
}

/// The entity tag of an object of several parts: the MD5 of their MD5s, and how many there are.
fn etag_of_parts(md5s: &[[u8; 16]]) -> String {
    let mut whole = Md5::new();
    for md5 in md5s {
        whole.update(md5);
    }
    format!("{}-{}", hex(&whole.finalize()), md5s.len())
}
