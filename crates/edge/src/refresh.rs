//! Keeps the routing table equal to what the store says.
//!
//! A task compares revisions when it is poked and on a timer; the poke carries no data and may be lost.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use offprint_functions::{DeploymentKey, FunctionRuntime};
use offprint_store::{Store, StoreError, Wake};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::sites::SiteSlots;
use crate::table::Table;

/// Owns the task; dropping it ends the task.
pub(crate) struct Refresher {
    source: Arc<Source>,
    task: JoinHandle<()>,
}

struct Source {
    store: Store,
    table: Arc<ArcSwap<Table>>,
    functions: Arc<dyn FunctionRuntime>,
    /// One refresh at a time, or an older update could overwrite a newer one.
    slots: Mutex<SiteSlots>,
}

impl Refresher {
    /// Reads the whole table once, then follows the changes.
    pub(crate) async fn start(
        store: Store,
        wake: Wake,
        table: Arc<ArcSwap<Table>>,
        functions: Arc<dyn FunctionRuntime>,
        interval: Duration,
    ) -> Result<Self, StoreError> {
        // `wake` was cloned before this first read: a change in between rings a bell that is heard later.
        let source = Arc::new(Source { store, table, functions, slots: Mutex::default() });
        source.refresh().await?;
        let task = tokio::spawn(follow(Arc::clone(&source), wake, interval));
        Ok(Self { source, task })
    }

    pub(crate) async fn refresh(&self) -> Result<(), StoreError> {
        self.source.refresh().await
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(source: Arc<Source>, wake: Wake, interval: Duration) {
    let mut is_failing = false;
    loop {
        // Either way the store is asked; a timeout is not an error.
        let _ = tokio::time::timeout(interval, wake.edge_woken()).await;
        match source.refresh().await {
            Ok(()) => is_failing = false,
            // The old table goes on answering. One line for an outage, not two a second.
            Err(error) if !is_failing => {
                tracing::error!(%error, "cannot refresh the routing table");
                is_failing = true;
            }
            Err(_) => {}
        }
    }
}

impl Source {
    async fn refresh(&self) -> Result<(), StoreError> {
        let mut slots = self.slots.lock().await;
        let table = self.table.load_full();
        let update = self.store.routing_since(table.revision()).await?;
        if update.full || update.revision != table.revision() {
            let gone = table.gone_with(&update);
            self.table.store(Arc::new(table.updated(update, &mut slots)));
            if !gone.is_empty() {
                tokio::spawn(forget(Arc::clone(&self.functions), gone));
            }
        }
        Ok(())
    }
}

/// Nobody can ask for them any more, whoever has deleted them. (What a full update does not list is stopped as idle.)
async fn forget(functions: Arc<dyn FunctionRuntime>, gone: Vec<DeploymentKey>) {
    for key in gone {
        functions.forget(key).await;
    }
}
