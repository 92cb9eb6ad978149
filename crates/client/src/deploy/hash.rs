//! Keys of files, on as many threads as the machine has cores.
//!
//! The threads take the next path from one counter. Each has one buffer for a piece of a file and one for its
//! base64 text; no file is ever held whole.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64_simd::{Out, STANDARD};
use offprint_model::asset::{AssetKey, AssetPath, KeyHasher};

use super::cache::{KeyCache, Stamp};
use super::error::DeployError;
use super::{DeployOptions, Event, LocalAsset, Observer, walk};

/// Bytes read at once: a multiple of three, so that only the last piece of a file is padded, and small
/// enough for the piece and its text to stay in the processor's cache.
const PIECE: usize = 3 * 32 * 1024;
/// A file that changes while it is read is read so often before we give up.
const READINGS_MAX: usize = 3;

/// Hashes all the assets, in their order.
pub(crate) fn hash_all(
    options: &DeployOptions,
    paths: Vec<AssetPath>,
    observer: &Observer,
) -> Result<Vec<LocalAsset>, DeployError> {
    let cache = options.cache_dir.as_deref().and_then(|dir| KeyCache::open(dir, &options.directory));
    let job = Job { options, paths: &paths, cache: cache.as_ref(), next: AtomicUsize::new(0), observer };
    let threads = options.threads.clamp(1, paths.len().div_ceil(64).max(1));
    let parts: Vec<Result<Vec<Hashed>, DeployError>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| job.run())).collect();
        workers
            .into_iter()
            .map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut hashed = Vec::with_capacity(paths.len());
    for part in parts {
        hashed.extend(part?);
    }
    hashed.sort_unstable_by_key(|one| one.index);
    if let Some(cache) = cache {
        cache.save(hashed.iter().map(|one| (&paths[one.index], &one.stamp, &one.key)));
    }
    let assets = paths.into_iter().zip(hashed);
    Ok(assets.map(|(path, one)| LocalAsset { path, key: one.key, size: one.stamp.size }).collect())
}

struct Job<'a> {
    options: &'a DeployOptions,
    paths: &'a [AssetPath],
    cache: Option<&'a KeyCache>,
    next: AtomicUsize,
    observer: &'a Observer,
}

struct Hashed {
    index: usize,
    key: AssetKey,
    stamp: Stamp,
}

impl Job<'_> {
    fn run(&self) -> Result<Vec<Hashed>, DeployError> {
        let mut reader = PieceReader::new();
        let mut done = Vec::with_capacity(self.paths.len() / 2);
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = self.paths.get(index) else { return Ok(done) };
            match self.hash(path, &mut reader) {
                Ok((key, stamp)) => done.push(Hashed { index, key, stamp }),
                Err(error) => {
                    // The other threads need not go on.
                    self.next.store(self.paths.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
            (self.observer)(Event::Hashed);
        }
    }

    fn hash(&self, asset: &AssetPath, reader: &mut PieceReader) -> Result<(AssetKey, Stamp), DeployError> {
        let path = walk::file_of(&self.options.directory, asset);
        if let Some(cache) = self.cache {
            let stamp = Stamp::of(&fs::metadata(&path).map_err(DeployError::io(&path))?);
            if let Some(key) = cache.key(asset, &stamp) {
                self.check_size(&path, stamp.size)?;
                return Ok((key, stamp));
            }
        }
        for _ in 0..READINGS_MAX {
            if let Some(hashed) = self.read_once(&path, asset, reader)? {
                return Ok(hashed);
            }
        }
        Err(DeployError::Changed(path))
    }

    /// Reads a file through; `None` when it changed meanwhile.
    fn read_once(
        &self,
        path: &Path,
        asset: &AssetPath,
        reader: &mut PieceReader,
    ) -> Result<Option<(AssetKey, Stamp)>, DeployError> {
        let mut file = File::open(path).map_err(DeployError::io(path))?;
        let stamp = |file: &File| file.metadata().map(|m| Stamp::of(&m)).map_err(DeployError::io(path));
        let before = stamp(&file)?;
        self.check_size(path, before.size)?;
        let mut hasher = KeyHasher::default();
        let mut size = 0;
        while let Some(piece) = reader.next(&mut file).map_err(DeployError::io(path))? {
            hasher.update_base64(piece.text);
            size += piece.bytes as u64;
            if size > before.size {
                return Ok(None);
            }
        }
        let unchanged = size == before.size && stamp(&file)? == before;
        Ok(unchanged.then(|| (hasher.key(asset.extension()), before)))
    }

    fn check_size(&self, path: &Path, size: u64) -> Result<(), DeployError> {
        let limit = self.options.file_bytes_max;
        if size > limit {
            return Err(DeployError::TooLarge { path: path.to_owned(), size, limit });
        }
        Ok(())
    }
}

/// Reads files piece by piece as base64 text into buffers that are used again.
pub(crate) struct PieceReader {
    raw: Vec<u8>,
    text: Vec<u8>,
}

/// A piece of a file.
pub(crate) struct Piece<'a> {
    /// Its base64 text; padded only if it is the last one.
    pub(crate) text: &'a [u8],
    /// How many bytes it stands for.
    pub(crate) bytes: usize,
}

impl PieceReader {
    pub(crate) fn new() -> Self {
        Self { raw: vec![0; PIECE], text: vec![0; STANDARD.encoded_length(PIECE)] }
    }

    /// The next piece, or `None` at the end. Only the last piece is shorter than [`PIECE`].
    pub(crate) fn next(&mut self, file: &mut impl Read) -> std::io::Result<Option<Piece<'_>>> {
        let mut filled = 0;
        while filled < self.raw.len() {
            match file.read(&mut self.raw[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if filled == 0 {
            return Ok(None);
        }
        let text = STANDARD.encode(&self.raw[..filled], Out::from_slice(&mut self.text));
        Ok(Some(Piece { text, bytes: filled }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn hashed(options: &DeployOptions) -> Result<Vec<LocalAsset>, DeployError> {
        let observer: Observer = Arc::new(|_| {});
        hash_all(options, walk::walk(&options.directory, None)?, &observer)
    }

    #[test]
    fn keys_are_those_of_wrangler_whatever_the_size_and_the_number_of_threads() {
        let root = tempfile::tempdir().unwrap();
        let content = |length: usize| -> Vec<u8> { (0..length).map(|n| (n * 31 % 251) as u8).collect() };
        fs::write(root.path().join("index.html"), "<h1>hi</h1>").unwrap();
        for length in [0, 1, 2, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5] {
            fs::write(root.path().join(format!("{length}.bin")), content(length)).unwrap();
        }
        for threads in [1, 8] {
            let options = DeployOptions { threads, ..DeployOptions::new(root.path()) };
            let assets = hashed(&options).unwrap();
            assert_eq!(assets.len(), 8);
            for asset in assets {
                if asset.path.as_str() == "/index.html" {
                    assert_eq!(asset.key.as_str(), "e5e943f01929441dfbb0d4956a759fda");
                } else {
                    let length: usize = asset.path.as_str()[1..].trim_end_matches(".bin").parse().unwrap();
                    assert_eq!(asset.key, KeyHasher::of_bytes(&content(length)).key("bin"), "{length}");
                    assert_eq!(asset.size, length as u64);
                }
            }
        }
    }

    #[test]
    fn remembered_keys_are_those_of_a_fresh_reading() {
        let (root, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = root.path().join("a.txt");
        fs::write(&file, "one").unwrap();
        let cache_dir = Some(cache.path().to_owned());
        let options = DeployOptions { cache_dir, ..DeployOptions::new(root.path()) };
        let first = hashed(&options).unwrap();
        assert_eq!(hashed(&options).unwrap(), first);
        // The same size, at once: only a reading tells.
        fs::write(&file, "two").unwrap();
        let second = hashed(&options).unwrap();
        assert_eq!(second[0].key, KeyHasher::of_bytes(b"two").key("txt"));
    }

    #[test]
    fn a_file_that_is_too_large_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("big.bin"), [0; 11]).unwrap();
        let options = DeployOptions { file_bytes_max: 10, ..DeployOptions::new(root.path()) };
        let error = hashed(&options).unwrap_err().to_string();
        assert!(error.contains("big.bin has 11 bytes, 10 are allowed"), "{error}");
    }
}
