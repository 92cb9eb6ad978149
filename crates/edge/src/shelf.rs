//! Memory bounded by bytes, read without a lock.
//!
//! What is held stands in [`Slot`]s, atomic pointers that live with whoever asks: a reader follows one pointer.
//! The [`Shelf`] only remembers what is held and in which order it came, and lets go of it when there is too
//! much: the oldest first, but what was used since gets another round (the CLOCK rule, "second chance").
//! Loading and letting go share a lock that no reader takes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

/// A place for something that can be loaded again.
pub(crate) struct Slot<T> {
    value: ArcSwapOption<T>,
    was_used: AtomicBool,
}

/// Something that has slots, numbered from 0.
pub(crate) trait HasSlots: Send + Sync + 'static {
    /// What the slots hold.
    type Value;

    /// The slot of a number that was given to [`Shelf::put`].
    fn slot(&self, number: u8) -> &Slot<Self::Value>;
}

/// Knows what is held in memory, and lets go of some of it when it is too much.
pub(crate) struct Shelf<H: HasSlots> {
    bytes_max: u64,
    held: Mutex<Held<H>>,
    turns: Box<[AsyncMutex<()>]>,
}

struct Held<H> {
    /// The oldest at the front.
    order: VecDeque<(Arc<H>, u8, u64)>,
    bytes: u64,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { value: ArcSwapOption::empty(), was_used: AtomicBool::new(false) }
    }
}

impl<T> Slot<T> {
    /// Looks at what is held, if it is.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        let value = self.value.load();
        let seen = look(value.as_deref()?);
        self.note_use();
        Some(seen)
    }

    /// What is held, if it is.
    pub(crate) fn get(&self) -> Option<Arc<T>> {
        let value = self.value.load_full()?;
        self.note_use();
        Some(value)
    }

    fn note_use(&self) {
        // Reading first keeps the line shared between the cores that serve it.
        if !self.was_used.load(Ordering::Relaxed) {
            self.was_used.store(true, Ordering::Relaxed);
        }
    }
}

impl<H: HasSlots> Shelf<H> {
    /// A shelf for so many bytes.
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            held: Mutex::new(Held { order: VecDeque::new(), bytes: 0 }),
            turns: (0..=u8::MAX).map(|_| AsyncMutex::new(())).collect(),
        }
    }

    /// Waits for one's turn to load something whose name begins with this byte: a crowd that asks for the
    /// same thing reads it once. Look into the slot again when it has come.
    pub(crate) async fn turn(&self, first_byte: u8) -> MutexGuard<'_, ()> {
        self.turns[usize::from(first_byte)].lock().await
    }

    /// Holds a value of so many bytes in a slot that is empty. More than the whole shelf is held, alone, until
    /// something else comes.
    pub(crate) fn put(&self, holder: &Arc<H>, number: u8, value: Arc<H::Value>, bytes: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.make_room(&mut held, bytes);
        let slot = holder.slot(number);
        if slot.value.swap(Some(value)).is_none() {
            slot.was_used.store(false, Ordering::Relaxed);
            held.order.push_back((Arc::clone(holder), number, bytes));
            held.bytes += bytes;
        }
    }

    fn make_room(&self, held: &mut Held<H>, bytes: u64) {
        // Each gets one more chance at the most, however busy the readers are.
        let mut chances = held.order.len();
        while held.bytes + bytes > self.bytes_max {
            let Some((holder, number, size)) = held.order.pop_front() else { return };
            if chances > 0 && holder.slot(number).was_used.swap(false, Ordering::Relaxed) {
                chances -= 1;
                held.order.push_back((holder, number, size));
                continue;
            }
            holder.slot(number).value.store(None);
            held.bytes -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Two([Slot<u32>; 2]);

    impl HasSlots for Two {
        type Value = u32;

        fn slot(&self, number: u8) -> &Slot<u32> {
            &self.0[usize::from(number)]
        }
    }

    fn held(two: &Two) -> [Option<u32>; 2] {
        // Not `get`, which would count as a use.
        [0, 1].map(|number| two.0[number].value.load().as_deref().copied())
    }

    #[test]
    fn the_oldest_unused_goes_first() {
        let shelf = Shelf::new(30);
        let [a, b, c] = [(); 3].map(|()| Arc::new(Two::default()));
        shelf.put(&a, 0, Arc::new(1), 10);
        shelf.put(&b, 1, Arc::new(2), 10);
        shelf.put(&a, 1, Arc::new(3), 10);
        assert_eq!((held(&a), held(&b)), ([Some(1), Some(3)], [None, Some(2)]));
        assert!(a.slot(0).get().is_some());
        shelf.put(&c, 0, Arc::new(4), 10);
        assert_eq!((held(&a), held(&b), held(&c)), ([Some(1), Some(3)], [None, None], [Some(4), None]));
    }

    #[test]
    fn use_protects_for_one_round_only() {
        let shelf = Shelf::new(10);
        let [a, b] = [(); 2].map(|()| Arc::new(Two::default()));
        shelf.put(&a, 0, Arc::new(1), 10);
        assert!(a.slot(0).get().is_some());
        shelf.put(&b, 0, Arc::new(2), 10);
        assert_eq!((held(&a), held(&b)), ([None, None], [Some(2), None]));
    }

    #[test]
    fn what_is_larger_than_the_shelf_is_held_alone() {
        let shelf = Shelf::new(10);
        let [a, b] = [(); 2].map(|()| Arc::new(Two::default()));
        shelf.put(&a, 0, Arc::new(1), 1);
        shelf.put(&b, 0, Arc::new(2), 100);
        assert_eq!((held(&a), held(&b)), ([None, None], [Some(2), None]));
        shelf.put(&a, 1, Arc::new(3), 1);
        assert_eq!((held(&a), held(&b)), ([None, Some(3)], [None, None]));
    }
}
