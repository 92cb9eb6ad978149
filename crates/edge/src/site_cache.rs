//! Sites, made ready when they are first asked for and kept while there is room.

use std::sync::Arc;

use offprint_store::{SiteHash, Store, StoreError};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::site::Site;

/// Compiled sites by content. Deployments with the same content share one.
pub(crate) struct SiteCache {
    store: Store,
    sites: Cache<SiteHash, Arc<Site>, Weight>,
}

#[derive(Clone)]
struct Weight {
    max: u64,
}

impl Weighter<SiteHash, Arc<Site>> for Weight {
    fn weight(&self, _: &SiteHash, site: &Arc<Site>) -> u64 {
        site.memory_bytes().min(self.max)
    }
}

impl SiteCache {
    pub(crate) fn new(store: Store, bytes_max: u64) -> Self {
        // The first number only sizes the tables; the bytes are the limit.
        let sites = Cache::with_weighter(256, bytes_max, Weight { max: u64::MAX });
        // A site heavier than a shard of the cache would be compiled anew for each request. It is kept
        // instead, at the price of a limit that a few very large sites can stretch.
        let max = (sites.shard_capacity() / 4).max(1);
        Self { store, sites: Cache::with_weighter(256, bytes_max, Weight { max }) }
    }

    /// The site, from memory or from the blobs. Requests that come while it is read wait for that read.
    pub(crate) async fn get(&self, hash: &SiteHash) -> Result<Arc<Site>, StoreError> {
        if let Some(site) = self.sites.get(hash) {
            return Ok(site);
        }
        self.sites
            .get_or_insert_async(hash, async {
                let document = self.store.load_site(hash).await?;
                // Hashing and compiling 20,000 assets takes milliseconds: not on a thread that serves.
                let site = tokio::task::spawn_blocking(|| Site::new(document)).await;
                site.map(Arc::new).map_err(|error| StoreError::Corrupt(error.to_string()))
            })
            .await
    }
}
