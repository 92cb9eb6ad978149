//! Collection: blobs that nothing holds go after a grace time. Apps whose time to be restored is over go before.
//!
//! A pin, a file of an app's version or an object of a bucket holds a blob for ever; a key that was refreshed within the grace time holds it; and so does the time
//! at which it was stored or lost its last pin. Three steps, each in small batches under the lock that keeps
//! uploads out, with pauses: sites that no deployment uses lose their pins; rows of blobs that nothing holds
//! go, and then their packs and files; packs and files without a row, which a crash has left, go last. In this
//! order a crash leaves at worst files without rows.

use std::collections::HashSet;
use std::time::Duration;

use offprint_model::asset::BlobHash;
use offprint_model::time::Timestamp;

use crate::assets::{ago, hash_of};
use crate::blobs::StoredBlob;
use crate::clock::Clock;
use crate::db::{Rows, values};
use crate::error::Result;
use crate::open::Store;
use crate::projects::json;
use crate::sql;

const SITES_A_BATCH: i64 = 20;
const BLOBS_A_BATCH: i64 = 500;
/// Between batches, for those who wait for the lock and for the file system, which is slow at making files
/// just after many were removed.
const PAUSE: Duration = Duration::from_millis(5);

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Blobs.
    pub blobs: u64,
    /// Their length in bytes, in all.
    pub bytes: u64,
    /// Keys that led to them.
    pub keys: u64,
}

const RELEASED: &str = "SELECT id, released FROM site WHERE released IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM deployment d WHERE d.site_id = site.id)
    AND NOT EXISTS (SELECT 1 FROM build b WHERE b.site_id = site.id AND b.version_seq IS NOT NULL)
    ORDER BY id LIMIT $1";
const TOUCH_PINNED: &str = "UPDATE blob SET touched = $2
    WHERE id IN (SELECT blob_id FROM pin WHERE site_id = $1) AND touched < $2";
const UNPIN: &str = "DELETE FROM pin WHERE site_id = $1";
const FORGET_BUILDS: &str = "UPDATE build SET site_id = NULL WHERE site_id = $1";
const FORGET_VARIANT_WORK: &str = "DELETE FROM variant_work WHERE site_id = $1";
const FORGET_SITE: &str = "DELETE FROM site WHERE id = $1";
const UNPINNED: &str = "SELECT b.id FROM blob b WHERE b.id > $1 AND b.touched <= $2
    AND NOT EXISTS (SELECT 1 FROM pin WHERE pin.blob_id = b.id)
    AND NOT EXISTS (SELECT 1 FROM version_file f WHERE f.blob_id = b.id)
    AND NOT EXISTS (SELECT 1 FROM asset_key k WHERE k.blob_id = b.id AND k.refreshed > $2)
    ORDER BY b.id LIMIT $3";
const HASHES_BETWEEN: &str = "SELECT hash FROM blob WHERE hash BETWEEN $1 AND $2";

impl Store {
    /// Removes apps that nobody may restore any more, and the blobs that nothing has held for the grace time. May run
    /// beside uploads, deployments and another collection, also of another process.
    pub async fn collect(&self, grace: Duration) -> Result<Collected> {
        self.purge_deleted_apps().await?;
        let old = ago(Clock::now(), grace);
        while self.release_sites().await? {
            tokio::time::sleep(PAUSE).await;
        }
        let mut collected = Collected::default();
        let mut after = 0;
        // Looking needs no lock; what is found is looked at again under it.
        loop {
            let rows = self.db().all(UNPINNED, values![after, old, BLOBS_A_BATCH]).await?;
            let ids = rows.iter().map(|row| row.get::<i64>("id")).collect::<Result<Vec<_>>>()?;
            let Some(last) = ids.last() else { break };
            after = *last;
            self.remove_blobs(&ids, old, &mut collected).await?;
            tokio::time::sleep(PAUSE).await;
        }
        for first_byte in 0..=u8::MAX {
            self.remove_strays(first_byte, old, &mut collected).await?;
        }
        self.forget_released(old).await?;
        Ok(collected)
    }

    /// Unpins some sites that nobody uses. Says whether there may be more.
    async fn release_sites(&self) -> Result<bool> {
        let _guard = self.collection_lock().collect().await?;
        let tx = self.db().write("release_sites").await?;
        let sites = tx.all(RELEASED, values![SITES_A_BATCH]).await?;
        for row in &sites {
            let site: i64 = row.get("id")?;
            tx.run(TOUCH_PINNED, values![site, row.time("released")?]).await?;
            tx.run(UNPIN, values![site]).await?;
            tx.run(FORGET_BUILDS, values![site]).await?;
            tx.run(FORGET_VARIANT_WORK, values![site]).await?;
            tx.run(FORGET_SITE, values![site]).await?;
        }
        tx.commit().await?;
        Ok(!sites.is_empty())
    }

    async fn remove_blobs(&self, ids: &[i64], old: Timestamp, collected: &mut Collected) -> Result<()> {
        let _guard = self.collection_lock().collect().await?;
        let tx = self.db().write("remove_blobs").await?;
        let (mut ids_unheld, mut hashes, mut bytes) = (Vec::new(), Vec::new(), 0);
        let rows = tx.all(sql::UNHELD_BLOBS.of(tx.engine()), values![old, json(&ids)?]).await?;
        let found = rows.iter().map(|row| hash_of(row.get("hash")?)).collect::<Result<Vec<_>>>()?;
        let held = self.held_by_objects(&found, old).await?;
        for (row, hash) in rows.iter().zip(found).filter(|(_, hash)| !held.contains(hash)) {
            ids_unheld.push(row.get::<i64>("id")?);
            hashes.push(hash);
            bytes += u64::try_from(row.get::<i64>("size")?).unwrap_or_default();
        }
        let ids = json(&ids_unheld)?;
        let keys = tx.run(sql::FORGET_KEYS_OF_BLOBS.of(tx.engine()), values![&ids]).await?;
        let blobs = tx.run(sql::FORGET_BLOBS.of(tx.engine()), values![ids]).await?;
        // Rows before files, and durably so: a row must never vouch for a file that is gone.
        tx.commit().await?;
        collected.blobs += blobs;
        collected.bytes += bytes;
        collected.keys += keys;
        self.blob_store().remove(hashes).await
    }

    /// Removes files and packs without a row. Those of uploads under way have none yet, but uploads hold the
    /// lock.
    async fn remove_strays(&self, first_byte: u8, old: Timestamp, collected: &mut Collected) -> Result<()> {
        let stored = self.blob_store().list(first_byte).await?;
        let packs = self.blob_store().list_packs(first_byte).await?;
        let none = self.strays(first_byte, old, &stored).await?.is_empty();
        if none && self.strays(first_byte, old, &packs).await?.is_empty() {
            return Ok(());
        }
        let _guard = self.collection_lock().collect().await?;
        let strays = self.strays(first_byte, old, &stored).await?;
        collected.blobs += strays.len() as u64;
        collected.bytes += strays.iter().map(|blob| blob.size).sum::<u64>();
        self.blob_store().remove(strays.iter().map(|blob| blob.hash).collect()).await?;
        let strays = self.strays(first_byte, old, &packs).await?;
        self.blob_store().remove_packs(strays.iter().map(|pack| pack.hash).collect()).await
    }

    /// Those without a row that are old.
    async fn strays(&self, first_byte: u8, old: Timestamp, stored: &[StoredBlob]) -> Result<Vec<StoredBlob>> {
        if stored.is_empty() {
            return Ok(Vec::new());
        }
        let (mut low, mut high) = ([0; 32], [u8::MAX; 32]);
        (low[0], high[0]) = (first_byte, first_byte);
        let (low, high) = (BlobHash::from_bytes(low), BlobHash::from_bytes(high));
        let mut known = HashSet::new();
        for row in self.db().all(HASHES_BETWEEN, values![&low, &high]).await? {
            known.insert(hash_of(row.get("hash")?)?);
        }
        let stray = |blob: &&StoredBlob| blob.stored <= old && !known.contains(&blob.hash);
        let strays: Vec<StoredBlob> = stored.iter().filter(stray).copied().collect();
        let hashes: Vec<BlobHash> = strays.iter().map(|stray| stray.hash).collect();
        let held = self.held_by_objects(&hashes, old).await?;
        Ok(strays.into_iter().filter(|stray| !held.contains(&stray.hash)).collect())
    }
}
