//! Packs: the compressed variants of a blob in one file, made once and never changed.
//!
//! A version byte, the lengths of the variants as three `u64` (little-endian, in the order of
//! [`Encoding::ALL`]), then their bytes in the same order. A length of 0 means that this variant is not worth
//! having. A pack without any says that somebody has looked, so that nobody looks again.
//!
//! A pack is derived from its blob and from nothing else. Losing one costs the time to make it again; so
//! whatever is not a whole pack of this version counts as not made.

use std::io::{self, Read};

use bytes::{BufMut, Bytes, BytesMut};
use offprint_model::asset::BlobHash;
use offprint_model::encoding::{Encoding, EncodingSet};

use crate::compress::{Effort, compress_from};

const VERSION: u8 = 1;
const VARIANTS: usize = Encoding::ALL.len();

/// Shorter bytes are not compressed (Cloudflare Pages serving rules, "Compression, range, caching").
pub const COMPRESSED_BYTES_MIN: u64 = 48;

/// The length of what comes before the variants.
pub(super) const HEADER_BYTES: usize = 1 + 8 * VARIANTS;

/// Which variants of a blob are stored, and how long they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variants {
    lengths: [u64; VARIANTS],
}

impl Variants {
    /// The codings that are worth having: the blob itself is noticeably longer than each of these.
    pub fn encodings(&self) -> EncodingSet {
        let stored = Encoding::ALL.into_iter().filter(|encoding| self.length(*encoding) > 0);
        stored.fold(EncodingSet::EMPTY, EncodingSet::with)
    }

    /// The length of a variant in bytes; 0 when it is not worth having.
    pub const fn length(&self, encoding: Encoding) -> u64 {
        self.lengths[encoding.index()]
    }

    /// Where a variant begins in the pack.
    pub(super) fn offset(&self, encoding: Encoding) -> u64 {
        HEADER_BYTES as u64 + self.lengths[..encoding.index()].iter().sum::<u64>()
    }

    /// A variant of a pack that is at hand.
    pub(super) fn cut(&self, pack: &Bytes, encoding: Encoding) -> Option<Bytes> {
        let start = usize::try_from(self.offset(encoding)).ok()?;
        let length = usize::try_from(self.length(encoding)).ok()?;
        (length > 0 && start.checked_add(length)? <= pack.len()).then(|| pack.slice(start..start + length))
    }

    /// Reads the head of a pack of this length in bytes. `None`: it is not a whole pack of this version.
    pub(super) fn of_header(header: &[u8], pack_bytes: u64) -> Option<Self> {
        let (version, lengths) = header.get(..HEADER_BYTES)?.split_first()?;
        if *version != VERSION {
            return None;
        }
        let mut variants = Self::default();
        let mut end = HEADER_BYTES as u64;
        for (length, bytes) in variants.lengths.iter_mut().zip(lengths.chunks_exact(8)) {
            *length = u64::from_le_bytes(bytes.try_into().ok()?);
            end = end.checked_add(*length)?;
        }
        (end == pack_bytes).then_some(variants)
    }
}

/// A pack to be stored.
#[derive(Clone, Debug)]
pub struct NewPack {
    pub(super) blob: BlobHash,
    pub(super) bytes: Bytes,
}

impl NewPack {
    /// Compresses the bytes of a blob with the best effort, for as long as this is not `stopped`: `None` when
    /// it was. Takes as long as it takes: call it on a thread for such work.
    ///
    /// # Errors
    /// An encoder has no memory for its tables.
    pub fn of_blob(blob: BlobHash, bytes: &[u8], stopped: impl Fn() -> bool) -> io::Result<Option<Self>> {
        let mut variants: [Vec<u8>; VARIANTS] = Default::default();
        if bytes.len() as u64 >= COMPRESSED_BYTES_MIN {
            for encoding in Encoding::ALL {
                let reader = Stoppable { bytes, stopped: &stopped };
                let compressed = compress_from(reader, bytes.len(), encoding, Effort::Best);
                if stopped() {
                    return Ok(None);
                }
                let compressed = compressed?;
                // One that saves less than a twentieth is not worth having.
                if compressed.len() <= bytes.len() - bytes.len() / 20 {
                    variants[encoding.index()] = compressed;
                }
            }
        }
        Ok(Some(Self::new(blob, &variants)))
    }

    /// The pack of a blob with these variants, in the order of [`Encoding::ALL`]; empty ones are not worth
    /// having.
    fn new(blob: BlobHash, variants: &[Vec<u8>; VARIANTS]) -> Self {
        let all = variants.iter().map(Vec::len).sum::<usize>();
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + all);
        bytes.put_u8(VERSION);
        for variant in variants {
            bytes.put_u64_le(variant.len() as u64);
        }
        for variant in variants {
            bytes.put_slice(variant);
        }
        Self { blob, bytes: bytes.freeze() }
    }

    /// The length of the pack in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// Gives bytes in pieces until it is stopped.
struct Stoppable<'a, F> {
    bytes: &'a [u8],
    stopped: &'a F,
}

impl<F: Fn() -> bool> Read for Stoppable<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.stopped)() {
            return Err(io::Error::other("stopped"));
        }
        self.bytes.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack() -> NewPack {
        NewPack::new(BlobHash::of(b"x"), &[b"brotli".to_vec(), Vec::new(), b"gzip".to_vec()])
    }

    #[test]
    fn a_pack_says_where_its_variants_are() {
        let pack = pack();
        let variants = Variants::of_header(&pack.bytes, pack.bytes.len() as u64).unwrap();
        assert_eq!(Encoding::ALL.map(|encoding| variants.length(encoding)), [6, 0, 4]);
        let expected = EncodingSet::EMPTY.with(Encoding::Brotli).with(Encoding::Gzip);
        assert_eq!(variants.encodings(), expected);
        for (encoding, bytes) in [(Encoding::Brotli, &b"brotli"[..]), (Encoding::Gzip, b"gzip")] {
            assert_eq!(variants.cut(&pack.bytes, encoding).unwrap(), bytes);
        }
        assert_eq!(variants.cut(&pack.bytes, Encoding::Zstd), None);
        let none = NewPack::new(BlobHash::of(b"x"), &Default::default());
        let variants = Variants::of_header(&none.bytes, HEADER_BYTES as u64).unwrap();
        assert!(variants.encodings().is_empty());
    }

    #[test]
    fn only_what_saves_a_twentieth_is_kept() {
        let variants = |bytes: &[u8]| {
            let pack = NewPack::of_blob(BlobHash::of(bytes), bytes, || false).unwrap().unwrap();
            assert_eq!(pack.size(), pack.bytes.len());
            Variants::of_header(&pack.bytes, pack.bytes.len() as u64).unwrap()
        };
        assert_eq!(variants(&b"abcd".repeat(12)).encodings(), EncodingSet::ALL);
        assert!(variants(&b"a".repeat(47)).encodings().is_empty(), "too short");
        let mut noise = vec![0; 5000];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        assert!(variants(&noise).encodings().is_empty(), "noise");
    }

    #[test]
    fn compressing_ends_when_it_is_stopped() {
        let bytes = b"abcd".repeat(100_000);
        let reads = std::cell::Cell::new(0);
        let stopped = || reads.replace(reads.get() + 1) > 3;
        assert!(NewPack::of_blob(BlobHash::of(&bytes), &bytes, stopped).unwrap().is_none());
        assert!(reads.get() < 10, "{} reads", reads.get());
    }

    #[test]
    fn what_is_not_whole_is_no_pack() {
        let pack = pack();
        let whole = pack.bytes.len() as u64;
        for length in [0, 1, HEADER_BYTES as u64, whole - 1, whole + 1, u64::MAX] {
            assert_eq!(Variants::of_header(&pack.bytes, length), None, "{length}");
        }
        assert_eq!(Variants::of_header(&pack.bytes[..HEADER_BYTES - 1], whole), None);
        let mut other = pack.bytes.to_vec();
        other[0] = 2;
        assert_eq!(Variants::of_header(&other, whole), None);
        other[0] = VERSION;
        other[1..HEADER_BYTES].fill(u8::MAX);
        assert_eq!(Variants::of_header(&other, whole), None, "the sum of the lengths is too large");
    }
}
