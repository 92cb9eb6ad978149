//! Multipart uploads: begun, given parts in any order, and completed or aborted.

use std::collections::BTreeMap;

use offprint_model::asset::BlobHash;
use offprint_model::object::{Conditions, Object, ObjectKey, PART_BYTES_MIN, R2Refusal};
use offprint_model::time::Timestamp;
use uuid::Uuid;

use super::put::{ADD_PART, bounded, replace};
use super::{ObjectDescription, check_open, new_version};
use crate::assets::hash_of;
use crate::blobs::BlobDraft;
use crate::clock::Clock;
use crate::db::{Row, Rows, Tx, values};
use crate::error::{Result, StoreError};
use crate::open::{Store, to_the_end};
use crate::resources::Resource;
use crate::stored::{ObjectMetadata, object_metadata_from_json, object_metadata_to_json};

/// A part to be put.
pub struct NewPart {
    /// The upload.
    pub upload: String,
    /// The key that it is for.
    pub key: ObjectKey,
    /// From 1.
    pub number: u32,
    /// The MD5 of its bytes.
    pub md5: [u8; 16],
}

/// A part, as whoever completes the upload names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedPart {
    /// Its number.
    pub number: u32,
    /// The entity tag that its upload was answered with.
    pub etag: String,
}

const BEGIN: &str = "INSERT INTO upload (id, bucket, key, metadata, created) VALUES ($1, $2, $3, $4, $5)";
const UPLOAD: &str = "SELECT metadata FROM upload WHERE id = $1 AND bucket = $2 AND key = $3";
const PUT_PART: &str =
    "INSERT INTO upload_part (upload, n, etag, md5, hash, size) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (upload, n) DO UPDATE
        SET etag = excluded.etag, md5 = excluded.md5, hash = excluded.hash, size = excluded.size";
const PARTS: &str = "SELECT n, etag, md5, hash, size FROM upload_part WHERE upload = $1 ORDER BY n";
const FORGET_PARTS: &str = "DELETE FROM upload_part WHERE upload = $1";
const FORGET: &str = "DELETE FROM upload WHERE id = $1";
const OLD: &str = "SELECT id FROM upload WHERE created < $1 ORDER BY created LIMIT 100";

impl Store {
    /// Begins an upload of several parts. Yields its id.
    ///
    /// # Errors
    /// `Object` when the bucket is being deleted.
    pub async fn begin_upload(
        &self,
        bucket: &Resource,
        key: &ObjectKey,
        description: &ObjectDescription,
    ) -> Result<String> {
        let id = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let metadata = object_metadata_to_json(&description.http, &description.custom, &[])?;
        let tx = self.objects_db().write("begin_upload").await?;
        check_open(&tx, bucket).await?;
        tx.run(BEGIN, values![&id, bucket.id().as_str(), key.as_str(), metadata, Clock::now()]).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Puts a part in place of the one with its number. Yields its entity tag. Durable when this returns.
    ///
    /// # Errors
    /// `Object` when there is no such upload under way.
    pub async fn put_part(&self, bucket: &Resource, part: NewPart, draft: BlobDraft) -> Result<String> {
        let (store, bucket) = (self.clone(), bucket.clone());
        to_the_end(async move {
            let _guard = store.collection_lock().upload().await?;
            let size = bounded(draft.length());
            let hash = store.blob_store().keep(draft).await?;
            let tx = store.objects_db().write("put_part").await?;
            find(&tx, &bucket, &part.upload, &part.key).await?.ok_or(R2Refusal::NoSuchUpload)?;
            let etag = new_version();
            let number = i64::from(part.number);
            tx.run(PUT_PART, values![&part.upload, number, &etag, part.md5.to_vec(), &hash, size]).await?;
            tx.commit().await?;
            Ok(etag)
        })
        .await
    }

    /// Makes an object of parts, in the order of their numbers, in place of the one with its key. `etag` makes its
    /// entity tag of their MD5s.
    ///
    /// # Errors
    /// `Object` with what is wrong: the upload is not under way, a part is missing or another, one is too small, or
    /// they differ in size.
    pub async fn complete_upload(
        &self,
        bucket: &Resource,
        upload: &str,
        key: &ObjectKey,
        parts: &[CompletedPart],
        etag: impl FnOnce(&[[u8; 16]]) -> String + Send,
    ) -> Result<Object> {
        let tx = self.objects_db().write("complete_upload").await?;
        check_open(&tx, bucket).await?;
        let metadata = find(&tx, bucket, upload, key).await?.ok_or(R2Refusal::NoSuchUpload)?;
        let chosen = choose(parts, &tx.all(PARTS, values![upload]).await?)?;
        let ObjectMetadata { http, custom, .. } = object_metadata_from_json(&metadata)?;
        let md5s: Vec<[u8; 16]> = chosen.iter().map(|part| part.md5).collect();
        let object = Object {
            key: key.clone(),
            version: new_version(),
            size: chosen.iter().map(|part| part.size).sum(),
            etag: etag(&md5s),
            uploaded: Clock::now(),
            http,
            custom,
            checksums: Vec::new(),
        };
        replace(&tx, bucket, &object, &Conditions::default()).await?;
        for (n, part) in (0_i64..).zip(&chosen) {
            tx.run(ADD_PART, values![&object.version, n, &part.hash, bounded(part.size)]).await?;
        }
        forget(&tx, upload).await?;
        tx.commit().await?;
        Ok(object)
    }

    /// Ends an upload without an object. One that has ended is passed over.
    ///
    /// # Errors
    /// `Database`.
    pub async fn abort_upload(&self, bucket: &Resource, upload: &str, key: &ObjectKey) -> Result<()> {
        let tx = self.objects_db().write("abort_upload").await?;
        if find(&tx, bucket, upload, key).await?.is_some() {
            forget(&tx, upload).await?;
        }
        tx.commit().await
    }

    /// Ends uploads that were begun before a time. Says whether there may be more.
    pub async fn abort_uploads_before(&self, time: Timestamp) -> Result<bool> {
        let tx = self.objects_db().write("abort_uploads_before").await?;
        let old = tx.all(OLD, values![time]).await?;
        for row in &old {
            forget(&tx, &row.get::<String>("id")?).await?;
        }
        tx.commit().await?;
        Ok(!old.is_empty())
    }
}

/// The metadata of an upload under way.
async fn find(tx: &Tx, bucket: &Resource, upload: &str, key: &ObjectKey) -> Result<Option<String>> {
    let row = tx.one(UPLOAD, values![upload, bucket.id().as_str(), key.as_str()]).await?;
    row.map(|row| row.get("metadata")).transpose()
}

async fn forget(tx: &Tx, upload: &str) -> Result<()> {
    tx.run(FORGET_PARTS, values![upload]).await?;
    tx.run(FORGET, values![upload]).await.map(drop)
}

struct Part {
    md5: [u8; 16],
    hash: BlobHash,
    size: u64,
}

/// The parts that were named, in the order of their numbers; all but the last have one size, which is not too small.
fn choose(named: &[CompletedPart], rows: &[Row]) -> Result<Vec<Part>> {
    let mut stored = BTreeMap::new();
    for row in rows {
        let md5 = <[u8; 16]>::try_from(row.get::<Vec<u8>>("md5")?);
        let part = Part {
            md5: md5.map_err(|_| StoreError::Corrupt("an MD5 does not have 16 bytes".into()))?,
            hash: hash_of(row.get("hash")?)?,
            size: u64::try_from(row.get::<i64>("size")?).unwrap_or_default(),
        };
        stored.insert(row.get::<i64>("n")?, (row.get::<String>("etag")?, part));
    }
    let mut chosen = BTreeMap::new();
    for wanted in named {
        let number = i64::from(wanted.number);
        // A part that is named twice is not there the second time.
        let (etag, part) = stored.remove(&number).ok_or(R2Refusal::InvalidPart)?;
        if etag != wanted.etag {
            return Err(R2Refusal::InvalidPart.into());
        }
        chosen.insert(number, part);
    }
    let chosen: Vec<Part> = chosen.into_values().collect();
    if let Some((last, rest)) = chosen.split_last() {
        if rest.iter().any(|part| part.size < PART_BYTES_MIN) {
            return Err(R2Refusal::EntityTooSmall.into());
        }
        let size = rest.first().map(|part| part.size);
        if size.is_some_and(|size| rest.iter().any(|part| part.size != size) || last.size > size) {
            return Err(R2Refusal::BadUpload.into());
        }
    }
    Ok(chosen)
}
