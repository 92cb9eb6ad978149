//! All resources: making, removing, and keeping house.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use offprint_model::id::ResourceId;
use offprint_model::resource::{ResourceKind, ResourceName};
use offprint_model::time::Timestamp;
use offprint_store::{AccountScope, Clock, Resource, Store, StoreError};
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use crate::d1::D1;
use crate::error::Result;
use crate::kv::Kv;
use crate::r2::R2;

/// How often the house is looked after.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// Files that nobody has asked for in so long are closed.
const IDLE: Duration = Duration::from_secs(120);
/// Multipart uploads that are not completed in a week are aborted (R2, "Multipart objects").
const UPLOAD_MICROS_MAX: i64 = 7 * 24 * 3600 * 1_000_000;
/// Every so many times, also what is not open is looked at: once an hour.
const EVERYWHERE_EVERY: u64 = 60;

/// The contents of all resources: a cheap handle, to be cloned.
#[derive(Clone)]
pub struct Resources(Arc<Shared>);

struct Shared {
    store: Store,
    kv: Kv,
    d1: D1,
    r2: R2,
    /// Held while a resource is made, and alone while contents without a resource are removed.
    making: RwLock<()>,
}

impl Resources {
    /// Opens the contents below the store's data directory.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub fn open(store: Store) -> Result<Self> {
        let (kv, d1) = (Kv::open(store.data())?, D1::open(store.data())?);
        let r2 = R2::new(store.clone());
        Ok(Self(Arc::new(Shared { store, kv, d1, r2, making: RwLock::default() })))
    }

    /// What is in KV namespaces.
    pub fn kv(&self) -> &Kv {
        &self.0.kv
    }

    /// What is in D1 databases.
    pub fn d1(&self) -> &D1 {
        &self.0.d1
    }

    /// What is in R2 buckets.
    pub fn r2(&self) -> &R2 {
        &self.0.r2
    }

    /// The registry of resources.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Makes a resource, empty. It is durable when this returns.
    ///
    /// # Errors
    /// The account has one of this kind and name.
    pub async fn create(
        &self,
        scope: &AccountScope,
        kind: ResourceKind,
        name: ResourceName,
    ) -> Result<Resource, CreateError> {
        let _making = self.0.making.read().await;
        let id = self.0.store.new_resource_id(kind);
        match kind {
            ResourceKind::Kv => self.0.kv.keeper().make(&id).await?,
            ResourceKind::D1 => self.0.d1.keeper().make(&id).await?,
            ResourceKind::R2 => {}
        }
        let added = self.0.store.add_resource(scope, kind, id.clone(), name).await;
        if added.is_err() {
            self.clear(kind, &id).await?;
        }
        Ok(added?)
    }

    /// Deletes a resource with all that is in it; a bucket must be empty. Functions that are bound to it get errors from
    /// now on.
    ///
    /// # Errors
    /// `NotFound`: somebody was faster. `Object`: the bucket is not empty.
    pub async fn delete(&self, scope: &AccountScope, resource: &Resource) -> Result<(), CreateError> {
        if resource.kind() == ResourceKind::R2 {
            self.0.store.close_bucket(resource).await?;
        }
        self.0.store.remove_resource(scope, resource).await?;
        Ok(self.clear(resource.kind(), resource.id()).await?)
    }

    async fn clear(&self, kind: ResourceKind, id: &ResourceId) -> Result<()> {
        match kind {
            ResourceKind::Kv => self.0.kv.keeper().remove(id).await,
            ResourceKind::D1 => self.0.d1.remove(id).await,
            ResourceKind::R2 => Ok(()),
        }
    }

    /// Keeps house until it is told to stop: closes what is idle, and removes what has expired or belongs to nobody.
    pub async fn keep_house(self, stop: CancellationToken) {
        for round in 0_u64.. {
            let everywhere = round.is_multiple_of(EVERYWHERE_EVERY);
            if let Err(error) = self.tidy(everywhere).await {
                tracing::warn!(%error, "cannot tidy the contents of resources");
            }
            if stop.run_until_cancelled(tokio::time::sleep(HOUSEKEEPING)).await.is_none() {
                return;
            }
        }
    }

    /// One round of keeping house; `everywhere`, also what is not in use.
    ///
    /// # Errors
    /// Something cannot be read or changed.
    pub async fn tidy(&self, everywhere: bool) -> Result<()> {
        if everywhere {
            let _alone = self.0.making.write().await;
            self.0.kv.keeper().remove_strays(&self.known(ResourceKind::Kv).await?).await?;
            self.0.d1.keeper().remove_strays(&self.known(ResourceKind::D1).await?).await?;
        }
        let begun_before = Clock::now().as_micros() - UPLOAD_MICROS_MAX;
        while self.0.store.abort_uploads_before(Timestamp::from_micros(begun_before)).await? {}
        self.0.kv.sweep(everywhere).await?;
        self.0.d1.sweep()?;
        self.0.kv.keeper().close_idle(IDLE);
        self.0.d1.keeper().close_idle(IDLE);
        Ok(())
    }

    async fn known(&self, kind: ResourceKind) -> Result<HashSet<ResourceId>> {
        Ok(self.0.store.resource_ids(kind).await?.into_iter().collect())
    }
}

/// Why a resource cannot be made or deleted.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The registry refuses, or failed.
    #[error(transparent)]
    Registry(#[from] StoreError),
    /// There is no room for it.
    #[error(transparent)]
    Contents(#[from] crate::error::ResourceError),
}
