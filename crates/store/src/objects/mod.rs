//! Objects of R2 buckets.
//!
//! Their bytes are blobs, like those of assets; their rows are in a database of their own. The promise between the two
//! is the one that deployments have: a row is committed when its blobs are durable, under the lock that keeps
//! collection out, and collection asks here before it removes a blob ([`held`]).

pub(crate) mod held;
mod list;
mod multipart;
mod put;
mod read;

use offprint_model::object::{CustomMetadata, HttpMetadata, Object, ObjectKey, R2Refusal};
use uuid::Uuid;

use crate::db::{Row, Rows, Tx, values};
use crate::error::{Result, StoreError};
use crate::open::Store;
use crate::resources::Resource;
use crate::stored::{ObjectMetadata, object_metadata_from_json};

pub use list::{ObjectList, ObjectPage, ObjectPosition};
pub use multipart::{CompletedPart, NewPart};
pub use put::NewObject;
pub use read::{BucketSize, ObjectParts};

const CLOSED: &str = "SELECT bucket FROM closed_bucket WHERE bucket = $1";
const ANY_OBJECT: &str = "SELECT key FROM object WHERE bucket = $1 LIMIT 1";
const CLOSE: &str = "INSERT INTO closed_bucket (bucket) VALUES ($1) ON CONFLICT DO NOTHING";
const FORGET_PARTS: &str =
    "DELETE FROM upload_part WHERE upload IN (SELECT id FROM upload WHERE bucket = $1)";
const FORGET_UPLOADS: &str = "DELETE FROM upload WHERE bucket = $1";

impl Store {
    /// Lets nothing be put into a bucket any more, before it is forgotten. Doing it again changes nothing.
    ///
    /// # Errors
    /// There are objects in it.
    pub async fn close_bucket(&self, bucket: &Resource) -> Result<()> {
        let id = bucket.id().as_str();
        let tx = self.objects_db().write("close_bucket").await?;
        if tx.one(ANY_OBJECT, values![id]).await?.is_some() {
            return Err(R2Refusal::BucketNotEmpty.into());
        }
        tx.run(CLOSE, values![id]).await?;
        tx.run(FORGET_PARTS, values![id]).await?;
        tx.run(FORGET_UPLOADS, values![id]).await?;
        tx.commit().await
    }
}

/// Refuses what would be put into a bucket that is being deleted.
async fn check_open(tx: &Tx, bucket: &Resource) -> Result<()> {
    match tx.one(CLOSED, values![bucket.id().as_str()]).await? {
        None => Ok(()),
        Some(_) => Err(R2Refusal::NoSuchBucket.into()),
    }
}

/// An object from its row.
fn object_of(row: &Row) -> Result<Object> {
    let ObjectMetadata { http, custom, checksums } =
        object_metadata_from_json(&row.get::<String>("metadata")?)?;
    let key = ObjectKey::parse(&row.get::<String>("key")?);
    Ok(Object {
        key: key.map_err(|error| StoreError::Corrupt(format!("a stored key: {error}")))?,
        version: row.get("version")?,
        size: u64::try_from(row.get::<i64>("size")?).unwrap_or_default(),
        etag: row.get("etag")?,
        uploaded: row.time("uploaded")?,
        http,
        custom,
        checksums,
    })
}

/// What is said of an object when an upload of it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectDescription {
    /// What HTTP says of it.
    pub http: HttpMetadata,
    /// What its uploader says of it.
    pub custom: CustomMetadata,
}

fn new_version() -> String {
    Uuid::new_v4().simple().to_string()
}
