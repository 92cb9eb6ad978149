//! Keys remembered from one deployment to the next, like git's index.
//!
//! A key is believed as long as the file's size, times, inode and device are those of when it was hashed. The
//! hole in that is a file changed within the tick of the clock in which it was hashed: so a file whose times
//! lie less than two seconds before its hashing is not remembered. "Before its hashing" is told by the file
//! system's own clock, by way of the temporary file that becomes the new cache.
//!
//! One text file for each deployed folder; losing it costs only time, so nothing here is an error.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File, Metadata};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use offprint_model::asset::{AssetKey, AssetPath};

const VERSION: &str = "offprint keys 1";
const RACY_NS: i128 = 2_000_000_000;
/// Caches of folders that were not deployed for so long are removed: build servers make ever new ones.
const STALE_NS: i128 = 30 * 24 * 3600 * 1_000_000_000;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    modified_ns: i128,
    changed_ns: i128,
    inode: u64,
    device: u64,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Self {
            size: metadata.len(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }

    fn latest_ns(&self) -> i128 {
        self.modified_ns.max(self.changed_ns)
    }
}

/// The keys of one folder.
pub(crate) struct KeyCache {
    file: PathBuf,
    known: HashMap<Box<str>, (Stamp, AssetKey)>,
    /// The new cache under its temporary name, and when it was made by the file system's clock.
    fresh: (File, PathBuf),
    opened_ns: i128,
}

impl KeyCache {
    /// Opens the cache of a folder; `None` where the cache directory cannot be used.
    pub(crate) fn open(cache_dir: &Path, root: &Path) -> Option<Self> {
        let file = file_of(cache_dir, root)?;
        fs::create_dir_all(cache_dir).ok()?;
        let temporary = file.with_extension(format!("{:08x}.tmp", rand::random::<u32>()));
        let fresh = File::create_new(&temporary).ok()?;
        let opened_ns = Stamp::of(&fresh.metadata().ok()?).modified_ns;
        let known = fs::read_to_string(&file).ok().and_then(|text| parse(&text)).unwrap_or_default();
        Some(Self { file, known, fresh: (fresh, temporary), opened_ns })
    }

    /// The key of a file in this state, if it is known.
    pub(crate) fn key(&self, asset: &AssetPath, stamp: &Stamp) -> Option<AssetKey> {
        let (known, key) = self.known.get(asset.as_str())?;
        (known == stamp).then(|| key.clone())
    }

    /// Replaces the cache by those of these keys that may be remembered: known ones, and those of files that
    /// had been quiet for two seconds when the hashing began.
    pub(crate) fn save<'a>(mut self, all: impl Iterator<Item = (&'a AssetPath, &'a Stamp, &'a AssetKey)>) {
        let (mut entries, mut fresh) = (0, 0);
        let mut text = String::new();
        for (asset, stamp, key) in all {
            let known = self.key(asset, stamp).is_some();
            let quiet = stamp.latest_ns() + RACY_NS <= self.opened_ns;
            if (quiet || known) && !asset.as_str().contains('\n') {
                let Stamp { size, modified_ns, changed_ns, inode, device } = stamp;
                entries += 1;
                fresh += usize::from(!known);
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{key} {size} {modified_ns} {changed_ns} {inode} {device} {asset}");
            }
        }
        tracing::debug!(entries, fresh, "keys remembered");
        if fresh == 0 && entries == self.known.len() {
            return;
        }
        let head = format!("{VERSION} {}\n", blake3::hash(text.as_bytes()));
        let (file, temporary) = (&mut self.fresh.0, &self.fresh.1);
        let written = file.write_all(head.as_bytes()).and_then(|()| file.write_all(text.as_bytes()));
        if written.is_ok() {
            let _ = fs::rename(temporary, &self.file);
        }
        self.remove_stale();
    }

    fn remove_stale(&self) {
        let entries = self.file.parent().and_then(|dir| fs::read_dir(dir).ok());
        for entry in entries.into_iter().flatten().flatten() {
            let ours = entry.path().extension().is_some_and(|e| e == "keys" || e == "tmp");
            let stale = |m: &Metadata| Stamp::of(m).modified_ns + STALE_NS < self.opened_ns;
            if ours && entry.metadata().is_ok_and(|metadata| stale(&metadata)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

impl Drop for KeyCache {
    fn drop(&mut self) {
        // Gone already where it became the cache.
        let _ = fs::remove_file(&self.fresh.1);
    }
}

/// Removes what is remembered of a folder.
pub(crate) fn forget(cache_dir: Option<&Path>, root: &Path) {
    if let Some(file) = cache_dir.and_then(|dir| file_of(dir, root)) {
        let _ = fs::remove_file(file);
    }
}

fn file_of(cache_dir: &Path, root: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let real = fs::canonicalize(root).ok()?;
    let name = blake3::hash(real.as_os_str().as_bytes()).to_hex();
    Some(cache_dir.join(format!("{}.keys", &name[..32])))
}

fn parse(text: &str) -> Option<HashMap<Box<str>, (Stamp, AssetKey)>> {
    let (head, lines) = text.split_once('\n')?;
    let sum = head.strip_prefix(VERSION)?.strip_prefix(' ')?;
    if blake3::hash(lines.as_bytes()).to_hex().as_str() != sum {
        return None;
    }
    lines.split_terminator('\n').map(entry).collect()
}

fn entry(line: &str) -> Option<(Box<str>, (Stamp, AssetKey))> {
    let mut fields = line.splitn(7, ' ');
    let key = AssetKey::parse(fields.next()?).ok()?;
    let stamp = Stamp {
        size: fields.next()?.parse().ok()?,
        modified_ns: fields.next()?.parse().ok()?,
        changed_ns: fields.next()?.parse().ok()?,
        inode: fields.next()?.parse().ok()?,
        device: fields.next()?.parse().ok()?,
    };
    Some((fields.next()?.into(), (stamp, key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset() -> AssetPath {
        AssetPath::parse("/a b.txt").unwrap()
    }

    fn key() -> AssetKey {
        AssetKey::parse("0123").unwrap()
    }

    fn stamp(modified_ns: i128) -> Stamp {
        Stamp { size: 3, modified_ns, changed_ns: 5, inode: 7, device: 1 }
    }

    fn saved(dir: &Path, stamp: Stamp) {
        let cache = KeyCache::open(dir, dir).unwrap();
        cache.save([(&asset(), &stamp, &key())].into_iter());
    }

    #[test]
    fn a_key_is_remembered_for_one_state_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        saved(dir.path(), stamp(5));
        let cache = KeyCache::open(dir.path(), dir.path()).unwrap();
        assert_eq!(cache.key(&asset(), &stamp(5)), Some(key()));
        assert_eq!(cache.key(&asset(), &stamp(6)), None);
        assert_eq!(cache.key(&asset(), &Stamp { size: 4, ..stamp(5) }), None);
        assert_eq!(cache.key(&asset(), &Stamp { inode: 8, ..stamp(5) }), None);
        drop(cache);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "temporary files are removed");
        forget(Some(dir.path()), dir.path());
        assert!(KeyCache::open(dir.path(), dir.path()).unwrap().known.is_empty());
    }

    #[test]
    fn a_file_written_just_now_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let now = Stamp::of(&fs::metadata(dir.path()).unwrap());
        for age_ns in [0, RACY_NS / 2, -RACY_NS] {
            saved(dir.path(), stamp(now.modified_ns - age_ns));
            assert!(KeyCache::open(dir.path(), dir.path()).unwrap().known.is_empty(), "{age_ns}");
        }
    }

    #[test]
    fn caches_that_nobody_uses_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (old, other) = (dir.path().join("0.keys"), dir.path().join("notes"));
        for path in [&old, &other] {
            File::create(path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        }
        saved(dir.path(), stamp(5));
        assert!(!old.exists() && other.exists());
        assert!(file_of(dir.path(), dir.path()).unwrap().exists());
    }

    #[test]
    fn a_torn_cache_is_no_cache() {
        let dir = tempfile::tempdir().unwrap();
        saved(dir.path(), stamp(5));
        let file = file_of(dir.path(), dir.path()).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        for torn in [text.replace("0123", "0124"), text[..text.len() - 2].to_owned(), String::new()] {
            fs::write(&file, torn).unwrap();
            assert!(KeyCache::open(dir.path(), dir.path()).unwrap().known.is_empty());
        }
    }
}
