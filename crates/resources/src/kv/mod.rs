//! KV: the pairs of a namespace.
//!
//! Differs from the real service for the better in one thing: what was written is seen by the next read, everywhere,
//! so there is nothing that `cacheTtl` could make staler. An expired pair is not seen from its second on; the disk
//! gets its room back later.

mod list;
mod namespace;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use offprint_model::kv::{KvKey, VALUE_BYTES_MAX};
use offprint_store::{Clock, Resource};

use crate::error::{ResourceError, Result};
use crate::keeper::{Keeper, Turns, blocking};
use crate::memory::MemoryBudget;
use namespace::{Namespace, Read};

pub use list::{KvList, KvListed, KvPage, KvPosition};

/// Calls that wait for the disk at one time, in all.
const CALLS_MAX: usize = 32;
/// Values on their way in or out, in all.
const MEMORY_BYTES: usize = 256 << 20;

const _: () = assert!(MEMORY_BYTES > 4 * VALUE_BYTES_MAX);

/// A stored pair, without its key.
#[derive(Clone, Debug)]
pub struct KvEntry {
    /// Its value, which holds on to the memory that was reserved for it.
    pub value: Bytes,
    /// Its metadata, JSON as it was put.
    pub metadata: Option<String>,
    /// When it expires, in seconds since the Unix epoch.
    pub expires: Option<u64>,
}

/// One change of a namespace.
#[derive(Clone, Debug)]
pub enum KvWrite {
    /// Puts a pair, in place of one of the same key.
    Put {
        /// Its key.
        key: KvKey,
        /// Its value, at most [`VALUE_BYTES_MAX`].
        value: Bytes,
        /// Its metadata, JSON.
        metadata: Option<String>,
        /// When it expires, in seconds since the Unix epoch.
        expires: Option<u64>,
    },
    /// Removes the pair of a key, if there is one.
    Delete(KvKey),
}

/// The contents of all KV namespaces.
pub struct Kv {
    keeper: Keeper<Namespace>,
    memory: MemoryBudget,
}

impl Kv {
    pub(crate) fn open(data: &Path) -> Result<Self> {
        let keeper = Keeper::new(data.join("bindings/kv"), namespace::SCHEMA, CALLS_MAX, Namespace::open)?;
        Ok(Self { keeper, memory: MemoryBudget::new(MEMORY_BYTES) })
    }

    pub(crate) const fn keeper(&self) -> &Keeper<Namespace> {
        &self.keeper
    }

    /// The memory for values: whoever reads one from a client reserves its length first.
    pub const fn memory(&self) -> &MemoryBudget {
        &self.memory
    }

    /// The pair of a key.
    ///
    /// # Errors
    /// `Gone`, or the contents cannot be read.
    pub async fn get(&self, resource: &Resource, key: KvKey) -> Result<Option<KvEntry>> {
        let small = key.clone();
        let found = self.keeper.call(resource.id(), move |namespace| namespace.read(&small, false, now_s()));
        match found.await? {
            Read::Absent => Ok(None),
            Read::Value(bytes, metadata, expires) => {
                Ok(Some(KvEntry { value: bytes.into(), metadata, expires }))
            }
            Read::TooLong(length) => {
                let reserved = self.memory.reserve(length).await;
                let read = move |namespace: &Namespace| namespace.read(&key, true, now_s());
                match self.keeper.call(resource.id(), read).await? {
                    Read::Value(bytes, metadata, expires) => {
                        Ok(Some(KvEntry { value: reserved.attach(bytes), metadata, expires }))
                    }
                    Read::Absent | Read::TooLong(_) => Ok(None),
                }
            }
        }
    }

    /// The metadata of a key's pair and when it expires, without its value. Outer `None`: there is no such pair.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn metadata(
        &self,
        resource: &Resource,
        key: KvKey,
    ) -> Result<Option<(Option<String>, Option<u64>)>> {
        self.keeper.call(resource.id(), move |namespace| namespace.metadata(&key, now_s())).await
    }

    /// Makes changes, all or none. When it returns, they are durable and every later read sees them.
    ///
    /// # Errors
    /// `Gone`, or the contents cannot be changed: then nothing was.
    pub async fn write(&self, resource: &Resource, writes: Vec<KvWrite>) -> Result<()> {
        let namespace = self.keeper.file(resource.id()).await?;
        let (drain, done) = namespace.enqueue(writes);
        if drain {
            // Others wait for it too, so it goes on when this caller goes away.
            tokio::spawn(drain_queue(self.keeper.turns(), namespace));
        }
        done.await.map_err(|_| ResourceError::Corrupt("a write ended early".into()))?
    }

    /// A page of a namespace's keys, in the order of their bytes.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn list(&self, resource: &Resource, list: KvList) -> Result<KvPage> {
        self.keeper.call(resource.id(), move |namespace| namespace.list(&list, now_s())).await
    }

    /// Removes what has expired from the namespaces that are open or, `everywhere`, from all.
    pub(crate) async fn sweep(&self, everywhere: bool) -> Result<()> {
        let namespaces = if everywhere { self.keeper.all().await? } else { self.keeper.open_now() };
        for id in namespaces {
            let file = match self.keeper.file(&id).await {
                Err(ResourceError::Gone) => continue,
                file => file?,
            };
            loop {
                let file = Arc::clone(&file);
                if !blocking(move || file.remove_expired(now_s())).await? {
                    break;
                }
                // The writers of the namespace come first.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }
}

/// Makes the writes that wait for a namespace until none does, each batch in a turn of its own.
async fn drain_queue(turns: Turns, namespace: Arc<Namespace>) {
    while let Some(batch) = namespace.next_batch() {
        let turn = turns.next().await;
        let namespace = Arc::clone(&namespace);
        let outcome = blocking(move || {
            let _turn = turn;
            namespace.make(batch);
            Ok(())
        });
        if let Err(error) = outcome.await {
            tracing::error!(%error, "writes to a KV namespace were lost before they were acknowledged");
        }
    }
}

/// Seconds since the Unix epoch.
pub(crate) fn now_s() -> u64 {
    u64::try_from(Clock::now().as_micros() / 1_000_000).unwrap_or_default()
}
