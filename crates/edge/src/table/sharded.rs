//! An immutable map from names that is cheap to change: versions share the shards that are equal.

use std::sync::Arc;

/// Enough that a shard of 100,000 names is copied in microseconds, few enough that the list of shards is.
const SHARDS: usize = 256;

/// A map from names to values.
pub(super) struct Sharded<V> {
    shards: Box<[Shard<V>]>,
}

/// Entries sorted by name.
type Shard<V> = Arc<[Arc<Entry<V>>]>;

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
        let shard = &self.shards[shard_of(name)];
        let at = shard.binary_search_by(|entry| (*entry.name).cmp(name)).ok()?;
        Some(&shard[at].value)
    }

    /// The map after changes, applied in order: `None` removes a name.
    pub(super) fn with(&self, changes: Vec<(Box<str>, Option<V>)>) -> Self {
        let mut changes: Vec<_> =
            changes.into_iter().map(|(name, value)| (shard_of(&name), name, value)).collect();
        // Stable: changes of one name keep their order.
        changes.sort_by(|left, right| left.0.cmp(&right.0).then_with(|| left.1.cmp(&right.1)));
        let mut shards = self.shards.clone();
        let mut changes = changes.into_iter().peekable();
        while let Some((shard, name, value)) = changes.next() {
            let mut of_shard = vec![(name, value)];
            while let Some((_, name, value)) = changes.next_if(|change| change.0 == shard) {
                match of_shard.last_mut() {
                    Some(last) if last.0 == name => last.1 = value,
                    _ => of_shard.push((name, value)),
                }
            }
            shards[shard] = merge(&shards[shard], of_shard);
        }
        Self { shards }
    }
}

/// Merges sorted entries with sorted changes in one pass, so that filling an empty table is cheap too.
fn merge<V>(before: &[Arc<Entry<V>>], changes: Vec<(Box<str>, Option<V>)>) -> Shard<V> {
    let mut after = Vec::with_capacity(before.len() + changes.len());
    let mut kept = before.iter().peekable();
    for (name, value) in changes {
        while let Some(entry) = kept.next_if(|entry| entry.name < name) {
            after.push(Arc::clone(entry));
        }
        kept.next_if(|entry| entry.name == name);
        after.extend(value.map(|value| Arc::new(Entry { name, value })));
    }
    after.extend(kept.map(Arc::clone));
    after.into()
}

/// FNV-1a. Names are checked by the API and shards are small, so a chosen collision gains nothing.
fn shard_of(name: &str) -> usize {
    let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    (hash >> 32) as usize % SHARDS
}
