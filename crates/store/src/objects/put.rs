//! Putting and deleting objects.

use offprint_model::object::{Checksum, Conditions, Object, ObjectKey, R2Refusal};

use super::{ObjectDescription, check_open, new_version, object_of};
use crate::blobs::BlobDraft;
use crate::clock::Clock;
use crate::db::{Rows, Tx, values};
use crate::error::Result;
use crate::open::{Store, to_the_end};
use crate::resources::Resource;
use crate::stored::object_metadata_to_json;

/// An object to be put.
pub struct NewObject {
    /// Its key.
    pub key: ObjectKey,
    /// What is said of it.
    pub description: ObjectDescription,
    /// The MD5 of its bytes, and what else the uploader gave.
    pub checksums: Vec<Checksum>,
    /// Its entity tag.
    pub etag: String,
    /// When it is to be put.
    pub conditions: Conditions,
}

pub(super) const BY_KEY: &str = "SELECT key, version, size, etag, uploaded, metadata FROM object
    WHERE bucket = $1 AND key = $2";
const PUT: &str = "INSERT INTO object (bucket, key, version, size, etag, uploaded, metadata)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (bucket, key) DO UPDATE SET version = excluded.version, size = excluded.size,
        etag = excluded.etag, uploaded = excluded.uploaded, metadata = excluded.metadata";
pub(super) const ADD_PART: &str = "INSERT INTO object_part (version, n, hash, size) VALUES ($1, $2, $3, $4)";
const RELEASE: &str = "INSERT INTO released (hash, at) SELECT hash, $2 FROM object_part WHERE version = $1
    ON CONFLICT (hash) DO UPDATE SET at = excluded.at";
const FORGET_PARTS: &str = "DELETE FROM object_part WHERE version = $1";
const FORGET: &str = "DELETE FROM object WHERE bucket = $1 AND key = $2";

impl Store {
    /// Begins to write the bytes of an object or a part.
    ///
    /// # Errors
    /// `Io` when the disk fails.
    pub fn draft_blob(&self) -> Result<BlobDraft> {
        self.blob_store().draft()
    }

    /// Puts an object in place of the one with its key, if the conditions hold. Durable when this returns. Two at once
    /// are put one after the other.
    ///
    /// # Errors
    /// `Object` with what is wrong with it; `Io`, `Database`.
    pub async fn put_object(&self, bucket: &Resource, new: NewObject, draft: BlobDraft) -> Result<Object> {
        let (store, bucket) = (self.clone(), bucket.clone());
        to_the_end(async move {
            let _guard = store.collection_lock().upload().await?;
            let size = draft.length();
            let hash = store.blob_store().keep(draft).await?;
            let object = Object {
                key: new.key,
                version: new_version(),
                size,
                etag: new.etag,
                uploaded: Clock::now(),
                http: new.description.http,
                custom: new.description.custom,
                checksums: new.checksums,
            };
            let tx = store.objects_db().write("put_object").await?;
            check_open(&tx, &bucket).await?;
            replace(&tx, &bucket, &object, &new.conditions).await?;
            tx.run(ADD_PART, values![&object.version, 0_i64, &hash, bounded(size)]).await?;
            tx.commit().await?;
            Ok(object)
        })
        .await
    }

    /// Deletes objects; keys without one are passed over. All or none.
    pub async fn delete_objects(&self, bucket: &Resource, keys: &[ObjectKey]) -> Result<()> {
        let tx = self.objects_db().write("delete_objects").await?;
        for key in keys {
            let row = tx.one(BY_KEY, values![bucket.id().as_str(), key.as_str()]).await?;
            if let Some(row) = row {
                release(&tx, &object_of(&row)?.version).await?;
                tx.run(FORGET, values![bucket.id().as_str(), key.as_str()]).await?;
            }
        }
        tx.commit().await
    }
}

/// Puts the row of an object in place of the one with its key. Its parts are the caller's to add.
pub(super) async fn replace(
    tx: &Tx,
    bucket: &Resource,
    object: &Object,
    conditions: &Conditions,
) -> Result<()> {
    let id = bucket.id().as_str();
    let row = tx.one(BY_KEY, values![id, object.key.as_str()]).await?;
    let old = row.map(|row| object_of(&row)).transpose()?;
    if !conditions.hold(old.as_ref().map(|old| (old.etag.as_str(), old.uploaded))) {
        return Err(R2Refusal::PreconditionFailed.into());
    }
    if let Some(old) = old {
        release(tx, &old.version).await?;
    }
    let values = values![
        id,
        object.key.as_str(),
        &object.version,
        bounded(object.size),
        &object.etag,
        object.uploaded,
        object_metadata_to_json(&object.http, &object.custom, &object.checksums)?,
    ];
    tx.run(PUT, values).await.map(drop)
}

/// Lets go of the bytes of an object.
async fn release(tx: &Tx, version: &str) -> Result<()> {
    tx.run(RELEASE, values![version, Clock::now()]).await?;
    tx.run(FORGET_PARTS, values![version]).await.map(drop)
}

pub(super) fn bounded(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
