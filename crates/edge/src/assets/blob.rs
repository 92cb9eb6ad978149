//! What the edge knows and holds of one blob.

use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::HeaderValue;
use offprint_model::asset::BlobHash;
use offprint_model::encoding::Encoding;
use offprint_model::request_path::RequestUrl;
use offprint_model::rules::early_hints::EarlyHints;
use offprint_model::time::Timestamp;
use offprint_store::Variants;

use crate::shelf::{HasSlots, Slot};

/// A blob as sites name it: two sites with the same bytes share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BlobKey {
    pub(crate) hash: BlobHash,
    /// The Web Analytics token that is put into the page, which makes other bytes of it.
    pub(crate) token: Option<Arc<str>>,
}

/// In which form the bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they were uploaded.
    Plain,
    /// Compressed.
    Coded(Encoding),
}

impl Form {
    pub(super) const fn slot(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Coded(encoding) => 1 + encoding.index() as u8,
        }
    }
}

/// One blob: its forms, as far as they are in memory, and what was found out about it.
pub(crate) struct Blob {
    pub(super) key: BlobKey,
    /// The length of the plain bytes as uploaded.
    pub(super) size: u64,
    forms: [Slot<Bytes>; 4],
    pub(super) variants: OnceLock<Variants>,
    looks: Looks,
    hints: OnceLock<Hints>,
}

/// When to look again for variants that were not there.
#[derive(Default)]
struct Looks {
    next: AtomicI64,
    count: AtomicU8,
}

/// The first pause between two looks; each is twice as long as the one before.
const FIRST_PAUSE_MICROS: i64 = 250_000;
/// Doublings: a site that never gets variants is looked at every four minutes or so.
const PAUSE_DOUBLINGS_MAX: u8 = 10;

impl Blob {
    pub(super) fn new(key: BlobKey, size: u64) -> Self {
        Self {
            key,
            size,
            forms: Default::default(),
            variants: OnceLock::new(),
            looks: Looks::default(),
            hints: OnceLock::new(),
        }
    }

    /// The bytes in a form, if they are in memory.
    pub(crate) fn bytes(&self, form: Form) -> Option<Bytes> {
        self.slot(form.slot()).with(Bytes::clone)
    }

    /// Whether it is time to look for variants.
    pub(super) fn is_look_due(&self, now: Timestamp) -> bool {
        now.as_micros() >= self.looks.next.load(Ordering::Relaxed)
    }

    /// Whether it is time to look for variants; true for one caller at a time.
    pub(super) fn may_look(&self, now: Timestamp) -> bool {
        let next = self.looks.next.load(Ordering::Relaxed);
        if now.as_micros() < next {
            return false;
        }
        let count = self.looks.count.load(Ordering::Relaxed).min(PAUSE_DOUBLINGS_MAX);
        let then = now.as_micros() + (FIRST_PAUSE_MICROS << count);
        let is_mine =
            self.looks.next.compare_exchange(next, then, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_mine {
            self.looks.count.store(count + 1, Ordering::Relaxed);
        }
        is_mine
    }

    /// What the page says about early hints, if that is known.
    pub(crate) fn known_hints(&self) -> Option<&Hints> {
        self.hints.get()
    }

    pub(super) fn learn_hints(&self, page: &[u8]) -> &Hints {
        self.hints.get_or_init(|| Hints::scan(page))
    }
}

impl HasSlots for Blob {
    type Value = Bytes;

    fn slot(&self, number: u8) -> &Slot<Bytes> {
        &self.forms[usize::from(number)]
    }
}

/// The `Link` header of a page.
pub(crate) enum Hints {
    None,
    Constant(HeaderValue),
    /// The page has a `<base>`: the header depends on the request's URL.
    ByUrl(EarlyHints),
}

impl Hints {
    fn scan(page: &[u8]) -> Self {
        let hints = EarlyHints::scan(page);
        if hints.is_empty() {
            return Self::None;
        }
        if !hints.is_constant() {
            return Self::ByUrl(hints);
        }
        hints
            .constant_header()
            .and_then(|value| HeaderValue::try_from(value).ok())
            .map_or(Self::None, Self::Constant)
    }

    /// The header for a request.
    pub(crate) fn link(&self, url: &RequestUrl<'_>) -> Option<HeaderValue> {
        match self {
            Self::None => None,
            Self::Constant(value) => Some(value.clone()),
            Self::ByUrl(hints) => hints.header(url).and_then(|value| HeaderValue::try_from(value).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_get_rarer() {
        let blob = Blob::new(BlobKey { hash: BlobHash::of(b"x"), token: None }, 1);
        let at = Timestamp::from_micros;
        assert!(blob.may_look(at(1)) && !blob.may_look(at(1)) && !blob.may_look(at(250_000)));
        assert!(blob.may_look(at(250_001)) && !blob.may_look(at(750_000)));
        assert!(blob.may_look(at(750_001)));
        for _ in 0..40 {
            assert!(blob.may_look(at(blob.looks.next.load(Ordering::Relaxed))));
        }
        let next = blob.looks.next.load(Ordering::Relaxed);
        assert!(blob.may_look(at(next)) && blob.may_look(at(next + 256_000_000)));
    }
}
