//! Finds an asset by its path in one step, without a second copy of the paths.

use std::hash::{BuildHasher, RandomState};

/// A hash table of positions in a list of paths that somebody else holds.
pub(super) struct PathIndex {
    /// Position plus one; zero is a free slot. At most half of the slots are taken.
    slots: Box<[u32]>,
    hasher: RandomState,
}

impl PathIndex {
    /// Indexes `count` different paths.
    pub(super) fn new<'p>(count: usize, path_at: impl Fn(usize) -> &'p str) -> Self {
        let mut index = Self {
            slots: vec![0; (count * 2).next_power_of_two().max(2)].into(),
            hasher: RandomState::new(),
        };
        for at in 0..count {
            let free = index.probe(path_at(at)).find(|slot| index.slots[*slot] == 0);
            if let (Some(slot), Ok(position)) = (free, u32::try_from(at + 1)) {
                index.slots[slot] = position;
            }
        }
        index
    }

    /// The position of a path.
    pub(super) fn find<'p>(&self, path: &str, path_at: impl Fn(usize) -> &'p str) -> Option<usize> {
        for slot in self.probe(path) {
            match self.slots[slot] {
                0 => return None,
                position if path_at(position as usize - 1) == path => return Some(position as usize - 1),
                _ => {}
            }
        }
        None
    }

    fn probe(&self, path: &str) -> impl Iterator<Item = usize> + use<> {
        let mask = self.slots.len() - 1;
        let first = self.hasher.hash_one(path) as usize;
        (0..=mask).map(move |step| first.wrapping_add(step) & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_found_and_no_other() {
        for count in [0, 1, 2, 3, 1000] {
            let paths: Vec<String> = (0..count).map(|number| format!("/p{number}")).collect();
            let index = PathIndex::new(paths.len(), |at| &paths[at]);
            for (at, path) in paths.iter().enumerate() {
                assert_eq!(index.find(path, |at| &paths[at]), Some(at));
            }
            assert_eq!(index.find("/missing", |at| &paths[at]), None);
        }
    }
}
