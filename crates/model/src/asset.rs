//! Assets: paths in a site, the keys that clients claim for them, and the hashes that we compute.

use std::fmt;

use crate::name::InvalidName;

/// Longest asset path, in bytes.
pub const ASSET_PATH_BYTES_MAX: usize = 2048;

/// A path in a site: begins with `/`, no empty, `.` or `..` segment, no NUL, no backslash, raw UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AssetPath(Box<str>);

impl AssetPath {
    /// Checks a path from a manifest. A missing leading slash is added, as the official example of the
    /// deployment call writes paths without one.
    ///
    /// # Errors
    /// The rule that the path breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let rest = text.strip_prefix('/').unwrap_or(text);
        if rest.len() >= ASSET_PATH_BYTES_MAX {
            return Err(InvalidName("an asset path has 2048 bytes at the most"));
        }
        if rest.contains('\0') {
            return Err(InvalidName("an asset path holds no NUL"));
        }
        if rest.contains('\\') {
            return Err(InvalidName("an asset path is separated by '/', not by '\\'"));
        }
        if rest.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(InvalidName("an asset path has no empty, '.' or '..' segment"));
        }
        Ok(Self(format!("/{rest}").into()))
    }

    /// The path, leading slash included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The extension as wrangler computes it (Node's `path.extname` without the dot): what follows the last
    /// dot of the base name; empty for `name`, `.name` and `name.`; case kept.
    pub fn extension(&self) -> &str {
        extension(&self.0)
    }
}

impl fmt::Display for AssetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The extension of a file name or path; see [`AssetPath::extension`].
pub fn extension(path: &str) -> &str {
    let base = path.rsplit('/').next().unwrap_or(path);
    match base.rsplit_once('.') {
        // A dot at the very front does not begin an extension: `.env` has none.
        Some((stem, extension)) if !stem.is_empty() => extension,
        _ => "",
    }
}

/// What a client claims to be an asset's key. For the clients in use it is [`KeyHasher`]'s, but it is
/// opaque until it has been checked: 1 to 128 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AssetKey(Box<str>);

impl AssetKey {
    /// Checks the form of a claimed key.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() || text.len() > 128 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(InvalidName("an asset key has 1 to 128 visible ASCII characters"));
        }
        Ok(Self(text.into()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AssetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Computes the key that wrangler gives an asset: the first 32 hex digits of BLAKE3 over the standard base64
/// text of the bytes, directly followed by the extension without its dot.
///
/// The base64 text is hashed once; [`KeyHasher::key`] then finishes for as many extensions as needed.
#[derive(Clone, Default)]
pub struct KeyHasher(blake3::Hasher);

impl KeyHasher {
    /// Hashes bytes that are held whole.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        // Encoding in pieces keeps the base64 text in the processor's cache; a piece is a multiple of
        // three, so only the last one is padded.
        const PIECE: usize = 3 * 16 * 1024;
        let mut hasher = Self::default();
        let mut text = vec![0; base64_simd::STANDARD.encoded_length(PIECE.min(bytes.len()))];
        for piece in bytes.chunks(PIECE) {
            let length = base64_simd::STANDARD.encoded_length(piece.len());
            let encoded =
                base64_simd::STANDARD.encode(piece, base64_simd::Out::from_slice(&mut text[..length]));
            hasher.update_base64(encoded);
        }
        hasher
    }

    /// Adds more of the canonical base64 text.
    pub fn update_base64(&mut self, text: &[u8]) {
        self.0.update(text);
    }

    /// The key for an asset with this extension.
    pub fn key(&self, extension: &str) -> AssetKey {
        let mut hasher = self.0.clone();
        hasher.update(extension.as_bytes());
        let hex = hasher.finalize().to_hex();
        AssetKey(hex[..32].into())
    }
}

/// The name of a blob: BLAKE3-256 of its bytes, computed by us.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobHash([u8; 32]);

impl BlobHash {
    /// Hashes the bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// A hash that was computed before and stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hex digits.
    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_wrangler() {
        // Captured from wrangler; see the table of test vectors in the protocol notes.
        for (bytes, extension, key) in [
            ("<h1>hi</h1>", "html", "e5e943f01929441dfbb0d4956a759fda"),
            ("console.log(1)", "js", "57368e4cf530bde37181ac2df88342ba"),
            ("x", "", "c89c27f28e24f706b72c408fe1d6537a"),
        ] {
            assert_eq!(KeyHasher::of_bytes(bytes.as_bytes()).key(extension).as_str(), key);
        }
    }

    #[test]
    fn hashing_in_pieces_equals_hashing_the_whole_text() {
        let bytes: Vec<u8> = (0..200_000u32).map(|n| (n * 7) as u8).collect();
        let mut whole = KeyHasher::default();
        whole.update_base64(base64_simd::STANDARD.encode_to_string(&bytes).as_bytes());
        assert_eq!(KeyHasher::of_bytes(&bytes).key("js"), whole.key("js"));
    }

    #[test]
    fn extensions_are_those_of_node() {
        for (path, expected) in [
            ("/a/index.html", "html"),
            ("/a.tar.gz", "gz"),
            ("/name", ""),
            ("/.name", ""),
            ("/name.", ""),
            ("/.a.b", "b"),
            ("/d.x/name", ""),
            ("/..x", "x"),
            ("/A.PNG", "PNG"),
        ] {
            assert_eq!(extension(path), expected, "{path}");
        }
    }

    #[test]
    fn paths_with_tricks_are_refused() {
        assert_eq!(AssetPath::parse("index.html").unwrap().as_str(), "/index.html");
        assert_eq!(AssetPath::parse("/ä #?%.txt").unwrap().as_str(), "/ä #?%.txt");
        let long = "a/".repeat(2048);
        for bad in ["", "/", "//a", "/a//b", "/../a", "/a/./b", "/a\0", "/a\\b", "/a/", &long] {
            assert!(AssetPath::parse(bad).is_err(), "{bad}");
        }
    }
}
