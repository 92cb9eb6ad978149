//! Where the answers stand that are ready: a table of fixed size that forgets.
//!
//! A place has four slots where its answers may stand, so finding them is four comparisons and no lock, and what
//! comes new takes the place of something older. Considered and left: a list beside each asset, which would
//! make every asset of every site larger, and has no place for what is missing.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;

use super::{Found, Place, Ready};

/// Slots of one set.
const WAYS: usize = 4;
/// About the memory of the answers at one place, by which the number of slots is chosen.
const BYTES_USUAL: u64 = 1024;
/// The largest answers that are kept.
const BYTES_MAX: usize = 4096;
const SETS_MAX: u64 = 1 << 14;

/// Answers by place, up to a number of bytes.
pub(crate) struct Rack {
    sets: Box<[Set]>,
    hasher: RandomState,
    bytes: AtomicUsize,
    bytes_max: usize,
    /// Which slot gives way next.
    hand: AtomicUsize,
}

/// As large as half of what a processor fetches at once.
type Set = [ArcSwapOption<Ready>; WAYS];

impl Rack {
    pub(crate) fn new(bytes_max: u64) -> Self {
        let sets = (bytes_max / (BYTES_USUAL * WAYS as u64)).clamp(1, SETS_MAX).next_power_of_two();
        Self {
            sets: (0..sets).map(|_| Set::default()).collect(),
            hasher: RandomState::new(),
            bytes: AtomicUsize::new(0),
            bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX),
            hand: AtomicUsize::new(0),
        }
    }

    /// The answers at a place.
    pub(crate) fn find(&self, place: &Place<'_>) -> Found {
        for slot in self.set(place) {
            let found = slot.load();
            if found.as_ref().is_some_and(|ready| ready.is_at(place)) {
                return found;
            }
        }
        Found::from_inner(None)
    }

    /// Keeps the answers at a place, in place of those that were there. Substitutes may take
    /// one slot of a set only: whoever asks for thousands of paths that do not exist pushes little aside.
    pub(crate) fn put(&self, place: &Place<'_>, ready: Ready) {
        let bytes = ready.memory_bytes();
        if bytes > BYTES_MAX.min(self.bytes_max) {
            return;
        }
        let ways = if ready.asset.is_substitute { 1 } else { WAYS };
        let slots = &self.set(place)[..ways];
        let stands_here =
            |slot: &&ArcSwapOption<Ready>| slot.load().as_ref().is_some_and(|ready| ready.is_at(place));
        let is_free = |slot: &&ArcSwapOption<Ready>| slot.load().is_none();
        let chosen = slots.iter().find(stands_here).or_else(|| slots.iter().find(is_free));
        let slot = chosen.unwrap_or_else(|| &slots[self.hand.fetch_add(1, Ordering::Relaxed) % ways]);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.forget(slot.swap(Some(Arc::new(ready))));
        self.make_room();
    }

    fn make_room(&self) {
        // Once around is all there is.
        for _ in 0..self.sets.len() {
            if self.bytes.load(Ordering::Relaxed) <= self.bytes_max {
                return;
            }
            let at = self.hand.fetch_add(1, Ordering::Relaxed) % self.sets.len();
            self.sets[at].iter().for_each(|slot| self.forget(slot.swap(None)));
        }
    }

    fn forget(&self, ready: Option<Arc<Ready>>) {
        let bytes = ready.map_or(0, |ready| ready.memory_bytes());
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn set(&self, place: &Place<'_>) -> &Set {
        let hash = self.hasher.hash_one((place.path, place.host));
        &self.sets[hash as usize % self.sets.len()]
    }
}
