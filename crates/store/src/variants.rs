//! What is left to do for compressed variants: sites that went live and whose blobs nobody has looked at since.
//!
//! Variants are derived data. The list only says where to look; whether something is to be made is seen in the
//! blob store. So doing work twice, or by two processes at once, is harmless.

use std::time::Duration;

use offprint_model::asset::BlobHash;

use crate::assets::hash_of;
use crate::blobs::NewPack;
use crate::clock::Clock;
use crate::db::{Rows, Tx, values};
use crate::error::Result;
use crate::jobs::after;
use crate::open::{Store, to_the_end};
use crate::site::SiteHash;

/// A site whose blobs are to be looked at.
#[derive(Clone, Copy, Debug)]
pub struct VariantWork {
    /// Its name.
    pub site: SiteHash,
    /// How often it has failed before.
    pub failures: u32,
    site_id: i64,
}

const NOTE: &str = "INSERT INTO variant_work (site_id, due)
    SELECT id, $2 FROM site WHERE id = $1 ON CONFLICT (site_id) DO UPDATE
    SET due = excluded.due, failures = 0 WHERE variant_work.failures > 0";
const DUE: &str = "SELECT w.site_id, w.failures, s.hash FROM variant_work w JOIN site s ON s.id = w.site_id
    WHERE w.due <= $1 AND s.released IS NULL ORDER BY w.due, w.site_id LIMIT 1";
const DONE: &str = "DELETE FROM variant_work WHERE site_id = $1";
const POSTPONE: &str = "UPDATE variant_work SET due = $2, failures = failures + 1 WHERE site_id = $1";
/// Builds that wait are waited for in vain where no builder runs, and often long where one does.
const ANY_OPEN_JOB: &str = "SELECT seq FROM job WHERE state IN ('ready', 'leased') AND attempt <= $1
    AND (kind = 'upload' OR lease_until > $2) LIMIT 1";

impl Store {
    /// The site that has waited longest for a look at its blobs. `None`: there is none now.
    pub async fn variant_work(&self) -> Result<Option<VariantWork>> {
        let Some(row) = self.db().one(DUE, values![Clock::now()]).await? else { return Ok(None) };
        Ok(Some(VariantWork {
            site: SiteHash::of_document(hash_of(row.get("hash")?)?),
            failures: u32::try_from(row.get::<i64>("failures")?).unwrap_or(u32::MAX),
            site_id: row.get("site_id")?,
        }))
    }

    /// Strikes a site off the list: each of its blobs has a pack, or needs none.
    pub async fn variants_made(&self, work: VariantWork) -> Result<()> {
        let tx = self.db().write("variants_made").await?;
        tx.run(DONE, values![work.site_id]).await?;
        tx.commit().await
    }

    /// Puts a site off that could not be finished, for so long.
    pub async fn postpone_variants(&self, work: VariantWork, pause: Duration) -> Result<()> {
        let tx = self.db().write("postpone_variants").await?;
        tx.run(POSTPONE, values![work.site_id, after(Clock::now(), pause)]).await?;
        tx.commit().await
    }

    /// Which of these blobs nobody has compressed yet, in the order given.
    ///
    /// # Errors
    /// `Io` when the disk fails.
    pub async fn blobs_without_pack(&self, blobs: Vec<BlobHash>) -> Result<Vec<BlobHash>> {
        self.blob_store().unpacked(blobs).await
    }

    /// Stores packs; when it returns they are durable. A blob that is collected meanwhile leaves a stray pack,
    /// which the next collection removes.
    ///
    /// # Errors
    /// `Io` when the disk fails.
    pub async fn put_packs(&self, packs: Vec<NewPack>) -> Result<()> {
        let store = self.clone();
        to_the_end(async move { store.blob_store().put_packs(packs).await }).await
    }

    /// Whether a deployment waits for a worker or is being worked on, for so many times at the most: one that
    /// never comes to its end is not counted, and neither is a build that waits.
    pub async fn has_open_job(&self, attempts_max: u32) -> Result<bool> {
        Ok(self.db().one(ANY_OPEN_JOB, values![i64::from(attempts_max), Clock::now()]).await?.is_some())
    }
}

/// Notes, in the transaction that lets a site be served, that its blobs are to be looked at.
pub(crate) async fn note_variants(tx: &Tx, site_id: i64) -> Result<()> {
    tx.run(NOTE, values![site_id, Clock::now()]).await.map(drop)
}
