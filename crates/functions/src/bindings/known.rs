//! Which resource a socket leads to, remembered: a busy Function does not ask the metadata each time it reads a key.
//!
//! What is remembered may have been deleted meanwhile; its contents are gone then, which is found when they are asked
//! for. A bucket may have been deleted and made again under its name: names are asked for anew after a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use offprint_model::id::ResourceId;
use offprint_model::resource::ResourceKind;
use offprint_resources::Resources;
use offprint_store::{AccountScope, Resource, StoreError};
use tokio::time::Instant;

use super::reply::Failure;

const REMEMBERED_FOR: Duration = Duration::from_secs(5);
/// More resources than are in use within the time; when there are more, all are asked for again.
const REMEMBERED_MAX: usize = 10_000;

/// Account, kind, and id or name.
type Name = (String, ResourceKind, String);

/// What is remembered.
#[derive(Default)]
pub(super) struct Known(Mutex<HashMap<Name, (Resource, Instant)>>);

/// Why a resource is not found.
pub(super) enum NotKnown {
    /// There is none: words for the site's author.
    Absent(String),
    /// The metadata cannot be asked.
    Failed(Failure),
}

impl Known {
    /// Finds a resource of an account by what a binding calls it.
    pub(super) async fn find(
        &self,
        resources: &Resources,
        account: &AccountScope,
        kind: ResourceKind,
        name: &str,
    ) -> Result<Resource, NotKnown> {
        let key = (account.account().to_string(), kind, name.to_owned());
        if let Some((resource, since)) = self.lock().get(&key)
            && since.elapsed() < REMEMBERED_FOR
        {
            return Ok(resource.clone());
        }
        let store = resources.store();
        let found = match kind {
            ResourceKind::Kv | ResourceKind::D1 => {
                store.resource(account, kind, &ResourceId::new(name)).await
            }
            ResourceKind::R2 => store.resource_by_name(account, kind, name).await,
        };
        let resource = found.map_err(|error| match error {
            StoreError::NotFound(entity) => {
                NotKnown::Absent(format!("there is no {} {name} in this account", entity.as_str()))
            }
            other => NotKnown::Failed(Failure::internal(&other)),
        })?;
        let mut known = self.lock();
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(key, (resource.clone(), Instant::now()));
        Ok(resource)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Name, (Resource, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
