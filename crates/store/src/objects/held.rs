//! Which blobs objects hold, for the collection.

use std::collections::HashSet;

use offprint_model::asset::BlobHash;
use offprint_model::time::Timestamp;

use crate::assets::hash_of;
use crate::db::{Rows, values};
use crate::error::Result;
use crate::open::Store;
use crate::projects::json;

const HELD: &str = "SELECT hash FROM object_part WHERE hash IN (SELECT unhex(value) FROM json_each($1))
    UNION SELECT hash FROM upload_part WHERE hash IN (SELECT unhex(value) FROM json_each($1))
    UNION SELECT hash FROM released WHERE at > $2 AND hash IN (SELECT unhex(value) FROM json_each($1))";
const FORGET_RELEASED: &str = "DELETE FROM released WHERE at <= $1";
const ALL: &str = "SELECT hash, size FROM object_part UNION SELECT hash, size FROM upload_part";

impl Store {
    /// Which of these blobs objects and uploads hold, or let go of only after a time. To be asked under the lock of
    /// the collection.
    pub(crate) async fn held_by_objects(
        &self,
        hashes: &[BlobHash],
        old: Timestamp,
    ) -> Result<HashSet<BlobHash>> {
        if hashes.is_empty() {
            return Ok(HashSet::new());
        }
        let hashes = json(&hashes.iter().map(BlobHash::to_hex).collect::<Vec<_>>())?;
        let rows = self.objects_db().all(HELD, values![hashes, old]).await?;
        rows.iter().map(|row| hash_of(row.get("hash")?)).collect()
    }

    /// Forgets when blobs were let go of, once that is long ago.
    pub(crate) async fn forget_released(&self, old: Timestamp) -> Result<()> {
        let tx = self.objects_db().write("forget_released").await?;
        tx.run(FORGET_RELEASED, values![old]).await?;
        tx.commit().await
    }

    /// All blobs that objects and uploads hold, with their lengths.
    pub(crate) async fn all_held_by_objects(&self) -> Result<Vec<crate::db::Row>> {
        self.objects_db().all(ALL, values![]).await
    }
}
