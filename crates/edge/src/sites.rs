//! Sites, made ready when they are first asked for and kept while there is room.

use std::sync::Arc;

use offprint_store::{SiteHash, Store, StoreError};

use crate::interned::Interned;
use crate::shelf::{HasSlots, Shelf, Slot};
use crate::site::Site;

/// A site by its content, and its place in memory. This is all that a site costs until it is asked for.
pub(crate) struct SiteSlot {
    hash: SiteHash,
    site: Slot<Site>,
}

impl SiteSlot {
    /// The site, if it is in memory.
    pub(crate) fn held(&self) -> Option<Arc<Site>> {
        self.site.get()
    }

    /// The name of the site.
    #[cfg(test)]
    pub(crate) fn hash(&self) -> &SiteHash {
        &self.hash
    }
}

impl HasSlots for SiteSlot {
    type Value = Site;

    fn slot(&self, _: u8) -> &Slot<Site> {
        &self.site
    }
}

/// One slot for each content: deployments with the same share what is held, and so do the revisions of the
/// table.
#[derive(Default)]
pub(crate) struct SiteSlots(Interned<SiteHash, SiteSlot>);

impl SiteSlots {
    /// The slot of a site.
    pub(crate) fn of(&mut self, hash: SiteHash) -> Arc<SiteSlot> {
        self.0.of(hash, |hash| SiteSlot { hash, site: Slot::default() })
    }
}

/// Loads sites and holds them, up to a number of bytes.
pub(crate) struct Sites {
    store: Store,
    shelf: Shelf<SiteSlot>,
}

impl Sites {
    pub(crate) fn new(store: Store, bytes_max: u64) -> Self {
        Self { store, shelf: Shelf::new(bytes_max) }
    }

    /// The site, from memory or from the blobs. Requests that come while it is read wait for that read.
    pub(crate) async fn get(&self, slot: &Arc<SiteSlot>) -> Result<Arc<Site>, StoreError> {
        match slot.held() {
            Some(site) => Ok(site),
            // Boxed: most requests find it, and should not carry the room for this around.
            None => Box::pin(self.load(slot)).await,
        }
    }

    async fn load(&self, slot: &Arc<SiteSlot>) -> Result<Arc<Site>, StoreError> {
        let _turn = self.shelf.turn(slot.hash.blob().as_bytes()[0]).await;
        if let Some(site) = slot.site.get() {
            return Ok(site);
        }
        let document = self.store.load_site(&slot.hash).await?;
        // Hashing and compiling 20,000 assets takes milliseconds: not on a thread that serves.
        let site = tokio::task::spawn_blocking(|| Arc::new(Site::new(document))).await;
        let site = site.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        self.shelf.put(slot, 0, Arc::clone(&site), site.memory_bytes());
        Ok(site)
    }
}
