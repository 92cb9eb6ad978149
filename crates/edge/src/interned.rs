//! One shared value for each key, for as long as somebody holds it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Weak};

/// The values that are held by somebody, by key.
pub(crate) struct Interned<K, V> {
    values: HashMap<K, Weak<V>>,
    /// The size at which values that nobody holds any more are looked for.
    sweep_at: usize,
}

impl<K, V> Default for Interned<K, V> {
    fn default() -> Self {
        Self { values: HashMap::new(), sweep_at: 0 }
    }
}

impl<K: Clone + Eq + Hash, V> Interned<K, V> {
    /// The value of a key; it is made if nobody holds one.
    pub(crate) fn of(&mut self, key: K, make: impl FnOnce(K) -> V) -> Arc<V> {
        if let Some(value) = self.values.get(&key).and_then(Weak::upgrade) {
            return value;
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|_, value| value.strong_count() > 0);
            self.sweep_at = 2 * self.values.len() + 1024;
        }
        let value = Arc::new(make(key.clone()));
        self.values.insert(key, Arc::downgrade(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shared_while_it_is_held() {
        let mut interned = Interned::default();
        let one = interned.of(1, |key| key * 10);
        assert!(Arc::ptr_eq(&one, &interned.of(1, |_| unreachable!())));
        drop(one);
        assert_eq!(*interned.of(1, |_| 7), 7);
    }

    #[test]
    fn what_nobody_holds_is_forgotten() {
        let mut interned = Interned::default();
        for key in 0..10_000 {
            interned.of(key, |key| key);
        }
        assert!(interned.values.len() <= 1024);
    }
}
