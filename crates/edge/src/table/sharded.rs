//! An immutable map from names that is cheap to change: versions share the shards that are equal.

use std::sync::Arc;

/// Enough that a shard of 100,000 names is copied in microseconds, few enough that the list of shards is.
const SHARDS: usize = 256;

/// A map from names to values.
pub(super) struct Sharded<V> {
    shards: Box<[Shard<V>]>,
}

/// Entries sorted by hash, then by name. The hashes stand in the shard itself, so that a search touches one
/// entry and not the dozen that it passes.
type Shard<V> = Arc<[(u64, Arc<Entry<V>>)]>;

struct Entry<V> {
    name: Box<str>,
    value: V,
}

impl<V> Clone for Sharded<V> {
    fn clone(&self) -> Self {
        Self { shards: self.shards.clone() }
    }
}

impl<V> Default for Sharded<V> {
    fn default() -> Self {
        let empty: Shard<V> = Arc::new([]);
        Self { shards: vec![empty; SHARDS].into() }
    }
}

impl<V> Sharded<V> {
    /// The value of a name.
    pub(super) fn get(&self, name: &str) -> Option<&V> {
        let hash = hash_of(name);
        let shard = &self.shards[shard_of(hash)];
        let first = shard.partition_point(|(of_entry, _)| *of_entry < hash);
        let mut same = shard[first..].iter().take_while(|(of_entry, _)| *of_entry == hash);
        same.find(|(_, entry)| *entry.name == *name).map(|(_, entry)| &entry.value)
    }

    /// The map after changes, applied in order: `None` removes a name.
    pub(super) fn with(&self, changes: Vec<(Box<str>, Option<V>)>) -> Self {
        let mut changes: Vec<_> =
            changes.into_iter().map(|(name, value)| Change { hash: hash_of(&name), name, value }).collect();
        // Stable: changes of one name keep their order.
        changes.sort_by(|left, right| {
            shard_of(left.hash).cmp(&shard_of(right.hash)).then_with(|| left.key().cmp(&right.key()))
        });
        let mut shards = self.shards.clone();
        let mut changes = changes.into_iter().peekable();
        while let Some(change) = changes.next() {
            let shard = shard_of(change.hash);
            let mut of_shard = vec![change];
            while let Some(change) = changes.next_if(|change| shard_of(change.hash) == shard) {
                match of_shard.last_mut() {
                    Some(last) if last.name == change.name => last.value = change.value,
                    _ => of_shard.push(change),
                }
            }
            shards[shard] = merge(&shards[shard], of_shard);
        }
        Self { shards }
    }
}

struct Change<V> {
    hash: u64,
    name: Box<str>,
    value: Option<V>,
}

impl<V> Change<V> {
    fn key(&self) -> (u64, &str) {
        (self.hash, &self.name)
    }
}

/// Merges sorted entries with sorted changes in one pass, so that filling an empty table is cheap too.
fn merge<V>(before: &[(u64, Arc<Entry<V>>)], changes: Vec<Change<V>>) -> Shard<V> {
    let mut after = Vec::with_capacity(before.len() + changes.len());
    let mut kept = before.iter().peekable();
    for Change { hash, name, value } in changes {
        while let Some(entry) = kept.next_if(|(of_entry, entry)| (*of_entry, &*entry.name) < (hash, &*name)) {
            after.push(entry.clone());
        }
        kept.next_if(|(_, entry)| entry.name == name);
        after.extend(value.map(|value| (hash, Arc::new(Entry { name, value }))));
    }
    after.extend(kept.cloned());
    after.into()
}

/// FNV-1a. Names are checked by the API and shards are small, so a chosen collision gains nothing.
fn hash_of(name: &str) -> u64 {
    name.bytes()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

const fn shard_of(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}
