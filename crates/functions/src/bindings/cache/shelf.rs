//! Where answers are kept: a shelf for each owner, bounded alone and together. What was not asked for the longest time
//! goes first.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio::time::Instant;

use super::Owner;
use super::message::Message;

/// Of one owner.
const OWNER_BYTES_MAX: usize = 64 << 20;
/// Of all.
const BYTES_MAX: usize = 256 << 20;
/// Answers for one URL that differ in what `Vary` names.
const VARIANTS_MAX: usize = 16;
/// What an answer takes beside its bytes.
const OVERHEAD_BYTES: usize = 1024;

/// Where an answer is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) owner: Owner,
    /// The name with which the cache was opened; `None`: the default cache.
    pub(super) namespace: Option<String>,
    pub(super) url: String,
}

/// An answer that is kept.
pub(super) struct Cached {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Headers that a request must have with these values, or must not have.
    vary: Vec<(HeaderName, Option<HeaderValue>)>,
    put: Instant,
    lifetime: Duration,
    /// How old it was already.
    age: Duration,
}

impl Cached {
    /// An answer to a request with these headers.
    pub(super) fn new(mut message: Message, asked: &HeaderMap, lifetime: Duration) -> Self {
        let named = message.headers.get_all(header::VARY).iter().filter_map(|value| value.to_str().ok());
        let names = named.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok());
        let vary = names.map(|name: HeaderName| (name.clone(), asked.get(&name).cloned())).collect();
        let age = message.text(&header::AGE).and_then(|age| age.parse().ok()).unwrap_or_default();
        // It was kept for being told that cookies are private, or has none.
        message.headers.remove(header::SET_COOKIE);
        Self {
            status: message.status,
            headers: message.headers,
            body: message.body,
            vary,
            put: Instant::now(),
            lifetime,
            age: Duration::from_secs(age),
        }
    }

    /// How old it is.
    pub(super) fn age(&self) -> Duration {
        self.age + self.put.elapsed()
    }

    fn is_fresh(&self) -> bool {
        self.put.elapsed() < self.lifetime
    }

    fn fits(&self, asked: &HeaderMap) -> bool {
        self.vary.iter().all(|(name, value)| asked.get(name) == value.as_ref())
    }

    fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64);
        self.body.len() + headers.sum::<usize>() + OVERHEAD_BYTES
    }
}

/// All answers.
#[derive(Default)]
pub(super) struct Shelves(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    shelves: HashMap<Owner, Shelf>,
    bytes: usize,
    /// Counts uses, so that they have an order.
    uses: u64,
}

#[derive(Default)]
struct Shelf {
    answers: HashMap<Address, Slot>,
    by_use: BTreeMap<u64, Address>,
    bytes: usize,
}

/// The answers of one URL.
struct Slot {
    variants: Vec<Arc<Cached>>,
    used: u64,
}

impl Shelves {
    /// The answer for a request with these headers.
    pub(super) fn find(&self, address: &Address, asked: &HeaderMap) -> Option<Arc<Cached>> {
        let mut kept = self.lock();
        let found = kept.shelves.get(&address.owner)?.answers.get(address)?;
        let found = found.variants.iter().find(|cached| cached.is_fresh() && cached.fits(asked)).cloned()?;
        kept.note_use(address);
        Some(found)
    }

    /// Keeps an answer in place of the one for the same requests.
    pub(super) fn put(&self, address: Address, cached: Cached) {
        let mut kept = self.lock();
        let mut variants = kept.take(&address).map_or_else(Vec::new, |slot| slot.variants);
        let same = |old: &Arc<Cached>| {
            old.vary.len() == cached.vary.len() && old.vary.iter().all(|v| cached.vary.contains(v))
        };
        variants.retain(|old| old.is_fresh() && !same(old));
        if variants.len() >= VARIANTS_MAX {
            variants.remove(0);
        }
        variants.push(Arc::new(cached));
        kept.add(address.clone(), variants);
        kept.make_room(&address.owner);
    }

    /// Removes the answers of a URL. Whether there was one.
    pub(super) fn remove(&self, address: &Address) -> bool {
        let removed = self.lock().take(address);
        removed.is_some_and(|slot| slot.variants.iter().any(|cached| cached.is_fresh()))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn note_use(&mut self, address: &Address) {
        self.uses += 1;
        let now = self.uses;
        let Some(shelf) = self.shelves.get_mut(&address.owner) else { return };
        let Some(slot) = shelf.answers.get_mut(address) else { return };
        let before = std::mem::replace(&mut slot.used, now);
        if let Some(address) = shelf.by_use.remove(&before) {
            shelf.by_use.insert(now, address);
        }
    }

    fn take(&mut self, address: &Address) -> Option<Slot> {
        let shelf = self.shelves.get_mut(&address.owner)?;
        let slot = shelf.answers.remove(address)?;
        shelf.by_use.remove(&slot.used);
        let bytes = slot.size();
        shelf.bytes -= bytes;
        self.bytes -= bytes;
        if shelf.answers.is_empty() {
            self.shelves.remove(&address.owner);
        }
        Some(slot)
    }

    fn add(&mut self, address: Address, variants: Vec<Arc<Cached>>) {
        self.uses += 1;
        let slot = Slot { variants, used: self.uses };
        let bytes = slot.size();
        let shelf = self.shelves.entry(address.owner.clone()).or_default();
        shelf.bytes += bytes;
        self.bytes += bytes;
        shelf.by_use.insert(slot.used, address.clone());
        shelf.answers.insert(address, slot);
    }

    /// Removes what was not used for the longest time: of this owner while it has too much, and of the one who has the
    /// most while there is too much in all.
    fn make_room(&mut self, owner: &Owner) {
        while self.shelves.get(owner).is_some_and(|shelf| shelf.bytes > OWNER_BYTES_MAX) {
            self.remove_oldest(&owner.clone());
        }
        while self.bytes > BYTES_MAX {
            let largest =
                self.shelves.iter().max_by_key(|(_, shelf)| shelf.bytes).map(|(owner, _)| owner.clone());
            let Some(largest) = largest else { break };
            self.remove_oldest(&largest);
        }
    }

    fn remove_oldest(&mut self, owner: &Owner) {
        let oldest = self.shelves.get(owner).and_then(|shelf| shelf.by_use.values().next().cloned());
        if let Some(oldest) = oldest {
            self.take(&oldest);
        }
    }
}

impl Slot {
    fn size(&self) -> usize {
        self.variants.iter().map(|cached| cached.size()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::config::Environment;
    use offprint_model::id::ProjectId;

    fn address(project: &str, url: &str) -> Address {
        Address {
            owner: (ProjectId::new(project), Environment::Production),
            namespace: None,
            url: url.to_owned(),
        }
    }

    fn cached(body: usize, vary: &str, asked: &HeaderMap) -> Cached {
        let head = format!("HTTP/1.1 200 OK\r\nVary: {vary}\r\n\r\n");
        let bytes = [head.as_bytes(), &vec![b'x'; body]].concat();
        Cached::new(Message::parse(bytes.into()).unwrap(), asked, Duration::from_secs(60))
    }

    fn language(value: &'static str) -> HeaderMap {
        [(header::ACCEPT_LANGUAGE, HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn answers_differ_by_what_vary_names() {
        let shelves = Shelves::default();
        let here = address("p", "u");
        for (value, length) in [("de", 1), ("en", 2), ("de", 3)] {
            shelves.put(here.clone(), cached(length, "Accept-Language, X", &language(value)));
        }
        let length = |value| shelves.find(&here, &language(value)).map(|cached| cached.body.len());
        assert_eq!((length("de"), length("en"), length("fr")), (Some(3), Some(2), None));
        assert!(shelves.remove(&here) && !shelves.remove(&here));
        assert_eq!((length("de"), shelves.lock().bytes), (None, 0));
    }

    #[test]
    fn what_was_not_used_for_long_makes_room() {
        let shelves = Shelves::default();
        let none = HeaderMap::new();
        for n in 0..10 {
            shelves.put(address("p", &n.to_string()), cached(6 << 20, "", &none));
        }
        assert!(shelves.find(&address("p", "0"), &none).is_some(), "and so it is used");
        shelves.put(address("p", "new"), cached(6 << 20, "", &none));
        let there = |url: &str| shelves.find(&address("p", url), &none).is_some();
        assert!(there("0") && !there("1") && there("2") && there("new"));
    }

    #[test]
    fn whoever_has_the_most_makes_room_for_the_others() {
        let shelves = Shelves::default();
        let none = HeaderMap::new();
        shelves.put(address("small", "u"), cached(1000, "", &none));
        for project in ["a", "b", "c", "d", "e"] {
            for n in 0..10 {
                shelves.put(address(project, &n.to_string()), cached(6 << 20, "", &none));
            }
        }
        assert!(shelves.lock().bytes <= BYTES_MAX);
        assert!(shelves.find(&address("small", "u"), &none).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_old_is_not_there() {
        let shelves = Shelves::default();
        let (here, none) = (address("p", "u"), HeaderMap::new());
        shelves.put(here.clone(), cached(1, "", &none));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(shelves.find(&here, &none).unwrap().age().as_secs(), 59);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(shelves.find(&here, &none).is_none() && !shelves.remove(&here));
    }
}
