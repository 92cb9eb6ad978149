//! Content codings: the compressed forms in which an asset may be stored and sent.

/// A content coding that we store variants in, in our order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// `br`: the smallest.
    Brotli,
    /// `zstd`
    Zstd,
    /// `gzip`: the one everybody reads.
    Gzip,
}

impl Encoding {
    /// All of them, the preferred one first.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// The token of `Accept-Encoding` and `Content-Encoding`.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// Its place in [`Encoding::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A set of codings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EncodingSet(u8);

impl EncodingSet {
    /// None of them.
    pub const EMPTY: Self = Self(0);
    /// Each of them.
    pub const ALL: Self = Self(0b111);

    /// The set with one more.
    #[must_use]
    pub const fn with(self, encoding: Encoding) -> Self {
        Self(self.0 | 1 << encoding.index())
    }

    /// Whether the set has it.
    pub const fn has(self, encoding: Encoding) -> bool {
        self.0 & 1 << encoding.index() != 0
    }

    /// Whether the set has none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
