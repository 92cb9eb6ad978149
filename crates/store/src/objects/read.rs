//! Looking objects up.

use offprint_model::asset::BlobHash;
use offprint_model::object::{Object, ObjectKey, R2Refusal};

use super::object_of;
use super::put::BY_KEY;
use crate::assets::hash_of;
use crate::db::{Rows, values};
use crate::error::Result;
use crate::open::Store;
use crate::resources::Resource;

const PARTS: &str = "SELECT hash, size FROM object_part WHERE version = $1 ORDER BY n";
const SIZE: &str = "SELECT count(*) AS objects, coalesce(sum(size), 0) AS bytes,
        coalesce(sum(length(metadata)), 0) AS metadata FROM object WHERE bucket = $1";

/// Where the bytes of an object are: blobs and their lengths, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectParts(pub Vec<(BlobHash, u64)>);

/// How much is in a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketSize {
    /// Objects.
    pub objects: u64,
    /// Their length in bytes, in all.
    pub bytes: u64,
    /// The length of their metadata in bytes, in all.
    pub metadata_bytes: u64,
}

impl Store {
    /// An object, without its bytes.
    ///
    /// # Errors
    /// `Object` when there is none.
    pub async fn object(&self, bucket: &Resource, key: &ObjectKey) -> Result<Object> {
        let row = self.objects_db().one(BY_KEY, values![bucket.id().as_str(), key.as_str()]).await?;
        object_of(&row.ok_or(R2Refusal::NoSuchKey)?)
    }

    /// An object and where its bytes are. They stay there for the grace time when the object is deleted.
    ///
    /// # Errors
    /// `Object` when there is none.
    pub async fn object_with_parts(
        &self,
        bucket: &Resource,
        key: &ObjectKey,
    ) -> Result<(Object, ObjectParts)> {
        let tx = self.objects_db().read().await?;
        let row = tx.one(BY_KEY, values![bucket.id().as_str(), key.as_str()]).await?;
        let object = object_of(&row.ok_or(R2Refusal::NoSuchKey)?)?;
        let mut parts = Vec::new();
        for row in tx.all(PARTS, values![&object.version]).await? {
            let size = u64::try_from(row.get::<i64>("size")?).unwrap_or_default();
            parts.push((hash_of(row.get("hash")?)?, size));
        }
        Ok((object, ObjectParts(parts)))
    }

    /// How much is in a bucket. Reads all its rows.
    pub async fn bucket_size(&self, bucket: &Resource) -> Result<BucketSize> {
        let Some(row) = self.objects_db().one(SIZE, values![bucket.id().as_str()]).await? else {
            return Ok(BucketSize::default());
        };
        let number =
            |column| Ok::<_, crate::StoreError>(u64::try_from(row.get::<i64>(column)?).unwrap_or_default());
        Ok(BucketSize {
            objects: number("objects")?,
            bytes: number("bytes")?,
            metadata_bytes: number("metadata")?,
        })
    }
}
