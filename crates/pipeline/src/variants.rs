//! Makes the compressed variants of what is served, in the background and once per blob.
//!
//! The store lists the sites that went live; their blobs are looked at one after the other, and those without
//! a pack get one. One blob is compressed at a time, on a thread for such work, and none while a deployment
//! waits for its job or is being worked on: variants never delay a deployment. What is interrupted is taken up
//! where it was, since the packs say what is done; two processes that do the same work do it twice, harmlessly.

use std::collections::HashSet;
use std::time::Duration;

use offprint_model::asset::BlobHash;
use offprint_model::content_type::is_compressible;
use offprint_store::blobs::{COMPRESSED_BYTES_MIN, NewPack};
use offprint_store::{SiteDocument, Store, StoreError, VariantWork, Wake};
use tokio_util::sync::CancellationToken;

/// Longer blobs are not compressed: they are downloads, and would need that much memory several times.
const BLOB_BYTES_MAX: u64 = 32 << 20;
/// So many packs or bytes are made durable together.
const BATCH_PACKS: usize = 64;
const BATCH_BYTES: usize = 8 << 20;
/// Blobs looked at before a deployment may go first again.
const LOOKS: usize = 1000;
/// After a failure a site rests, twice as long each time.
const REST: Duration = Duration::from_secs(60);
const REST_MAX: Duration = Duration::from_secs(24 * 3600);

/// The worker.
pub(crate) struct Compressor {
    pub(crate) store: Store,
    pub(crate) wake: Wake,
    /// How long to sleep when nobody wakes us.
    pub(crate) idle: Duration,
    /// Deployments that were tried more often do not keep us waiting.
    pub(crate) attempts_max: u32,
    pub(crate) stop: CancellationToken,
}

/// How far a site was brought.
#[derive(Debug, Default)]
struct Progress {
    made: u64,
    failed: u64,
    stopped: bool,
}

impl Compressor {
    /// Works until it is stopped.
    pub(crate) async fn run(self) {
        let mut troubles = 0;
        while !self.stop.is_cancelled() {
            match self.work_on_next().await {
                Ok(true) => troubles = 0,
                Ok(false) => {
                    troubles = 0;
                    self.rest(self.idle).await;
                }
                Err(error) => {
                    troubles += 1;
                    tracing::error!(%error, "cannot work on compressed variants");
                    self.pause(doubled(self.idle, troubles).min(REST)).await;
                }
            }
        }
    }

    /// Works on the site that has waited longest. `false`: there is none.
    async fn work_on_next(&self) -> Result<bool, StoreError> {
        let Some(work) = self.store.variant_work().await? else { return Ok(false) };
        let site = work.site.blob().to_hex();
        match self.make_all(&work).await {
            Ok(Progress { stopped: true, .. }) => {}
            Ok(Progress { made, failed: 0, .. }) => {
                self.store.variants_made(work).await?;
                tracing::info!(site, made, "made compressed variants");
            }
            Ok(Progress { made, failed, .. }) => {
                tracing::warn!(site, made, failed, "some compressed variants will be tried again");
                self.postpone(work).await?;
            }
            Err(error) => {
                tracing::warn!(site, %error, "compressed variants will be tried again");
                self.postpone(work).await?;
            }
        }
        Ok(true)
    }

    async fn postpone(&self, work: VariantWork) -> Result<(), StoreError> {
        self.store.postpone_variants(work, doubled(REST, work.failures).min(REST_MAX)).await
    }

    /// Gives each blob of a site that is worth it a pack.
    async fn make_all(&self, work: &VariantWork) -> Result<Progress, StoreError> {
        let blobs = worth_compressing(&self.store.load_site(&work.site).await?);
        let mut progress = Progress::default();
        let mut batch = Vec::new();
        for some in blobs.chunks(LOOKS) {
            for blob in self.store.blobs_without_pack(some.to_vec()).await? {
                self.let_deployments_pass().await?;
                match self.make(blob).await {
                    Ok(Some(pack)) => batch.push(pack),
                    Ok(None) => progress.stopped = true,
                    Err(error) => {
                        tracing::warn!(blob = blob.to_hex(), %error, "cannot compress a blob");
                        progress.failed += 1;
                    }
                }
                let full = batch.len() >= BATCH_PACKS
                    || batch.iter().map(NewPack::size).sum::<usize>() >= BATCH_BYTES;
                if full || progress.stopped {
                    progress.made += self.put(&mut batch).await?;
                }
                if progress.stopped {
                    return Ok(progress);
                }
            }
        }
        progress.made += self.put(&mut batch).await?;
        Ok(progress)
    }

    /// Compresses a blob. `None`: we are to stop.
    async fn make(&self, blob: BlobHash) -> Result<Option<NewPack>, Failure> {
        if self.stop.is_cancelled() {
            return Ok(None);
        }
        let bytes = self.store.blobs().read(&blob).await?;
        let stop = self.stop.clone();
        let compress = move || NewPack::of_blob(blob, &bytes, || stop.is_cancelled());
        Ok(tokio::task::spawn_blocking(compress).await??)
    }

    async fn put(&self, batch: &mut Vec<NewPack>) -> Result<u64, StoreError> {
        let packs = std::mem::take(batch);
        let count = packs.len() as u64;
        self.store.put_packs(packs).await?;
        Ok(count)
    }

    /// Waits while a deployment is to go first.
    async fn let_deployments_pass(&self) -> Result<(), StoreError> {
        while !self.stop.is_cancelled() && self.store.has_open_job(self.attempts_max).await? {
            self.rest(self.idle).await;
        }
        Ok(())
    }

    /// Waits until a deployment may have ended, for so long at the most.
    async fn rest(&self, most: Duration) {
        tokio::select! {
            // A poke since the last wait is remembered by our clone of the handle.
            () = self.wake.edge_woken() => {}
            () = self.pause(most) => {}
        }
    }

    /// Waits for so long, or until we are to stop.
    async fn pause(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.stop.cancelled() => {}
        }
    }
}

/// Why there is no pack of a blob.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("it cannot be read: {0}")]
    Read(#[from] StoreError),
    #[error("the encoder failed: {0}")]
    Encoder(#[from] std::io::Error),
    #[error("the encoder ended early: {0}")]
    Ended(#[from] tokio::task::JoinError),
}

/// The blobs of a site that variants are made of, each once: those that are sent as a compressible type under
/// one path at the least.
fn worth_compressing(document: &SiteDocument) -> Vec<BlobHash> {
    let mut seen = HashSet::new();
    let assets = document.manifest.iter().map(|(_, asset)| asset);
    let worth = assets.filter(|asset| {
        (COMPRESSED_BYTES_MIN..=BLOB_BYTES_MAX).contains(&asset.size)
            && is_compressible(&asset.content_type)
            && seen.insert(asset.blob)
    });
    worth.map(|asset| asset.blob).collect()
}

fn doubled(time: Duration, times: u32) -> Duration {
    time.saturating_mul(2u32.saturating_pow(times.min(16)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::asset::{AssetKey, AssetPath};
    use offprint_model::manifest::{Asset, Manifest};

    #[test]
    fn blobs_of_some_size_and_of_one_compressible_type_are_worth_it() {
        let asset = |path: &str, blob: &str, size: u64, content_type: &str| {
            let key = AssetKey::parse("k").unwrap();
            let blob = BlobHash::of(blob.as_bytes());
            (AssetPath::parse(path).unwrap(), Asset { key, blob, size, content_type: content_type.into() })
        };
        let assets = vec![
            asset("/a.html", "page", 48, "text/html"),
            asset("/b.html", "page", 48, "text/html; charset=utf-8"),
            asset("/c.html", "short", 47, "text/html"),
            asset("/d.js", "longest", 32 << 20, "text/javascript"),
            asset("/e.js", "longer", (32 << 20) + 1, "text/javascript"),
            asset("/f.png", "both", 100, "image/png"),
            asset("/g.svg", "both", 100, "image/svg+xml"),
            asset("/h.png", "picture", 100, "image/png"),
        ];
        let document = SiteDocument { manifest: Manifest::new(assets).unwrap(), ..Default::default() };
        let expected = ["page", "longest", "both"].map(|text| BlobHash::of(text.as_bytes()));
        assert_eq!(worth_compressing(&document), expected);
    }

    #[test]
    fn rests_grow_and_do_not_overflow() {
        let seconds = |failures| doubled(REST, failures).min(REST_MAX).as_secs();
        assert_eq!([0, 1, 2, 10, u32::MAX].map(seconds), [60, 120, 240, 61_440, 86_400]);
    }
}
