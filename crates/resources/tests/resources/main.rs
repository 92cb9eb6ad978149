//! Contents against a real store in a real directory. One binary, so that it links once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod d1;
mod kv;
mod r2;
mod registry;

use offprint_model::id::AccountId;
use offprint_model::resource::{ResourceKind, ResourceName};
use offprint_model::secret::Secret;
use offprint_resources::Resources;
use offprint_store::{AccountScope, Permission, Resource, Store, StoreOptions};

const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";

/// A store with one account and what it keeps.
struct World {
    directory: tempfile::TempDir,
    resources: Resources,
    account: AccountScope,
}

impl World {
    async fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap()).await
    }

    async fn open(directory: tempfile::TempDir) -> Self {
        let store = Store::open(StoreOptions::new(directory.path())).await.unwrap();
        let secret = || Secret::new("a-token-that-may-write-0123456789".to_owned());
        store.bootstrap(Some(AccountId::new(ACCOUNT)), Some(secret()), "Test", "a@b.c").await.unwrap();
        let principal = store.authenticate(&secret()).await.unwrap().unwrap();
        let account = principal.scope(&AccountId::new(ACCOUNT), Permission::Write).unwrap();
        Self { directory, resources: Resources::open(store).unwrap(), account }
    }

    async fn reopen(self) -> Self {
        let Self { directory, resources, account: _ } = self;
        drop(resources);
        Self::open(directory).await
    }

    async fn create(&self, kind: ResourceKind, name: &str) -> Resource {
        let name = ResourceName::parse(kind, name).unwrap();
        self.resources.create(&self.account, kind, name).await.unwrap()
    }

    /// The files of a kind of resource.
    fn files(&self, kind: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path().join("bindings").join(kind)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}
