//! The build cache: what the next build of a project is faster with.
//!
//! `<root>/<project>/<epoch>/<entry>/files`. The epoch is a number of the project that grows when its cache is
//! purged, so a purge is complete at once: a build that runs then writes where nobody looks any more. The
//! directories of package managers are used where they are, by several builds at once, as those programs allow.
//! A framework's directories are copied in and out, since a framework may remove or replace them. An entry that
//! was not read for a week goes, and the entries read longest ago go when a project has too much.
//!
//! A build is hostile: links are copied and never followed, and depth and bytes are bounded.

use std::collections::HashMap;
use std::fs::{self, File, FileTimes};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use offprint_model::id::ProjectId;
use offprint_model::time::Timestamp;
use offprint_sandbox::remove_tree;

use crate::files::Files;
use crate::workspace::{Folder, make_private};

/// How long an entry stays that no build reads (Pages API, "Build cache").
const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// How much a project may have.
const BYTES_MAX: u64 = 10 << 30;
/// Deeper trees are not copied: no framework makes them.
const DEPTH_MAX: usize = 100;

/// The variable that leads each package manager to its cache, and its program, which names the entry.
pub(crate) const PACKAGE_CACHES: [(&str, &str); 4] = [
    ("npm_config_cache", "npm"),
    ("npm_config_store_dir", "pnpm"),
    ("YARN_CACHE_FOLDER", "yarn"),
    ("BUN_INSTALL_CACHE_DIR", "bun"),
];

/// The caches of all projects.
#[derive(Clone, Debug)]
pub(crate) struct BuildCaches {
    root: PathBuf,
    /// How many builds use the cache of a project now.
    in_use: Arc<Mutex<HashMap<ProjectId, usize>>>,
}

/// The cache of one project for one build. Nothing of it is removed while it is held.
#[derive(Debug)]
pub(crate) struct BuildCache {
    directory: PathBuf,
    project: ProjectId,
    caches: BuildCaches,
}

impl BuildCaches {
    /// The caches below a directory, which need not be there.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, in_use: Arc::default() }
    }

    /// The cache of a project as it is since its last purge.
    pub(crate) fn open(&self, project: &ProjectId, epoch: u64) -> io::Result<BuildCache> {
        *self.counts().entry(project.clone()).or_default() += 1;
        // From here on its end takes the count back, also when the directory cannot be made.
        let directory = self.root.join(project.as_str()).join(epoch.to_string());
        let mut cache = BuildCache { directory, project: project.clone(), caches: self.clone() };
        make_private(&cache.directory)?;
        cache.directory = fs::canonicalize(&cache.directory)?;
        Ok(cache)
    }

    /// Removes what is purged, old, too much, or of no project; what is in use stays for this time. `epochs` has
    /// an entry for every project.
    pub(crate) fn sweep(&self, epochs: &HashMap<ProjectId, u64>, now: Timestamp) -> io::Result<()> {
        for (name, path) in directories(&self.root)? {
            let project = ProjectId::new(name);
            let counts = self.counts();
            if counts.contains_key(&project) {
                continue;
            }
            // No build begins to use it meanwhile: what is to go is moved aside under the lock.
            let aside = self.set_aside(&path, epochs.get(&project).copied(), now)?;
            drop(counts);
            aside.iter().try_for_each(|path| remove_tree(path))?;
        }
        Ok(())
    }

    /// Moves what is to go of one project to names of which no build knows.
    fn set_aside(&self, project: &Path, epoch: Option<u64>, now: Timestamp) -> io::Result<Vec<PathBuf>> {
        let mut gone = Vec::new();
        for (name, path) in directories(project)? {
            if epoch.is_none_or(|epoch| name != epoch.to_string()) {
                gone.push(path);
            } else {
                gone.extend(superfluous(&path, now, BYTES_MAX)?);
            }
        }
        let mut aside = Vec::new();
        for (number, path) in gone.into_iter().enumerate() {
            let name = self.root.join(format!(".removed-{}-{number}", now.as_micros()));
            fs::rename(&path, &name)?;
            aside.push(name);
        }
        if epoch.is_none() {
            aside.push(project.to_owned());
        }
        Ok(aside)
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, HashMap<ProjectId, usize>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BuildCache {
    fn drop(&mut self) {
        let mut counts = self.caches.counts();
        if let Some(count) = counts.get_mut(&self.project) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.project);
            }
        }
    }
}

impl BuildCache {
    /// The directory of a package manager, made and marked as read.
    pub(crate) fn of_packages(&self, program: &str) -> io::Result<PathBuf> {
        let directory = self.entry(program).join("files");
        make_private(&directory)?;
        self.mark_read(program)?;
        Ok(directory)
    }

    /// Whether a package manager has left something in an earlier build.
    pub(crate) fn is_warm(&self) -> bool {
        let filled = |(_, name): (&str, &str)| {
            fs::read_dir(self.entry(name).join("files")).is_ok_and(|mut entries| entries.next().is_some())
        };
        PACKAGE_CACHES.into_iter().any(filled)
    }

    /// Copies a directory that an earlier build has left to its place, unless the repository has one there. Returns
    /// the uppermost directory that was made for it; `None`: there is nothing to restore.
    pub(crate) fn restore(&self, directory: &str, root: &Folder) -> io::Result<Option<PathBuf>> {
        let name = entry_name(directory);
        let files = self.entry(&name).join("files");
        if !files.is_dir() {
            return Ok(None);
        }
        let Some((made, place)) = free_place(root.path(), directory)? else { return Ok(None) };
        self.mark_read(&name)?;
        let copied = copy_tree(&files, &place, BYTES_MAX);
        if copied.is_err() {
            // Half a cache may be worse than none.
            remove_tree(&place)?;
        }
        copied.map(|_| Some(made))
    }

    /// Keeps a directory for the next build. `false`: this one has left none.
    pub(crate) fn save(&self, directory: &str, root: &Folder) -> io::Result<bool> {
        let Ok(made) = root.folder(directory) else { return Ok(false) };
        let name = entry_name(directory);
        let entry = self.entry(&name);
        make_private(&entry)?;
        let (files, new) = (entry.join("files"), entry.join("new"));
        remove_tree(&new)?;
        if let Err(error) = copy_tree(made.path(), &new, BYTES_MAX) {
            remove_tree(&new)?;
            return Err(error);
        }
        remove_tree(&files)?;
        fs::rename(&new, &files)?;
        self.mark_read(&name)?;
        Ok(true)
    }

    fn entry(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn mark_read(&self, name: &str) -> io::Result<()> {
        fs::write(self.entry(name).join("read"), "")
    }
}

/// The name of the entry for a directory of a site.
fn entry_name(directory: &str) -> String {
    format!("of-{}", directory.replace('/', "~"))
}

/// Entries that are too old, and the oldest ones of what is too much.
fn superfluous(epoch: &Path, now: Timestamp, bytes_max: u64) -> io::Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for (_, path) in directories(epoch)? {
        let read = fs::symlink_metadata(path.join("read")).map_or(0, |metadata| metadata.mtime());
        entries.push((read, path));
    }
    entries.sort_unstable_by_key(|(read, _)| std::cmp::Reverse(*read));
    let (mut total, mut gone) = (0_u64, Vec::new());
    let oldest = now.as_micros() / 1_000_000 - i64::try_from(AGE_MAX.as_secs()).unwrap_or(i64::MAX);
    for (read, path) in entries {
        let size = if read < oldest { bytes_max } else { bytes_in(&path) };
        total = total.saturating_add(size);
        if read < oldest || total > bytes_max {
            total = total.saturating_sub(size);
            gone.push(path);
        }
    }
    Ok(gone)
}

/// The directories in a directory; none when it is not there.
fn directories(parent: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let entries = match fs::read_dir(parent) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let (true, Ok(name)) = (entry.file_type()?.is_dir(), entry.file_name().into_string()) {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

/// What a tree takes on the disk. One that cannot be read through counts as endless: then it goes.
fn bytes_in(root: &Path) -> u64 {
    let (mut total, mut open) = (0_u64, vec![root.to_owned()]);
    while let Some(directory) = open.pop() {
        let Ok(entries) = fs::read_dir(directory) else { return u64::MAX };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { return u64::MAX };
            total = total.saturating_add(metadata.blocks().saturating_mul(512));
            if metadata.is_dir() {
                open.push(entry.path());
            }
        }
    }
    total
}

/// Makes the directories above a place; returns the uppermost that was not there, and the place. `None`: something
/// is there, or the way leads through a link.
fn free_place(root: &Path, directory: &str) -> io::Result<Option<(PathBuf, PathBuf)>> {
    let (mut place, mut made) = (root.to_owned(), None);
    let mut parts = directory.split('/').peekable();
    while let Some(part) = parts.next() {
        place.push(part);
        let last = parts.peek().is_none();
        match fs::symlink_metadata(&place) {
            Ok(metadata) if metadata.is_dir() && !last => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let made = made.get_or_insert_with(|| place.clone());
                if last {
                    return Ok(Some((made.clone(), place)));
                }
                fs::create_dir(&place)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Copies a tree to a place where nothing is. Links stay links, what is neither file, directory nor link is left
/// out. Returns the bytes that were copied.
fn copy_tree(from: &Path, to: &Path, bytes_max: u64) -> io::Result<u64> {
    let mut copied = 0_u64;
    let mut open = vec![(from.to_owned(), to.to_owned(), 0)];
    while let Some((from, to, depth)) = open.pop() {
        if depth > DEPTH_MAX {
            return Err(io::Error::other("a directory to be cached is too deep"));
        }
        fs::create_dir(&to)?;
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            let (kind, place) = (entry.file_type()?, to.join(entry.file_name()));
            if kind.is_dir() {
                open.push((entry.path(), place, depth + 1));
            } else if kind.is_symlink() {
                symlink(fs::read_link(entry.path())?, place)?;
            } else if kind.is_file() {
                let metadata = entry.metadata()?;
                copied = copied.saturating_add(metadata.len());
                if copied > bytes_max {
                    return Err(io::Error::other("a directory to be cached is too large"));
                }
                fs::copy(entry.path(), &place)?;
                keep_times(&place, &metadata);
            }
        }
    }
    Ok(copied)
}

/// Some caches are believed by the age of their files. A file that nobody may write keeps its new age.
fn keep_times(place: &Path, of: &fs::Metadata) {
    if let (Ok(file), Ok(modified)) = (File::options().write(true).open(place), of.modified()) {
        let _ = file.set_times(FileTimes::new().set_modified(modified));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn project() -> ProjectId {
        ProjectId::new("0123abcd-0000-4000-8000-000000000000")
    }

    fn now() -> Timestamp {
        offprint_store::Clock::now()
    }

    fn write(path: impl AsRef<Path>, text: &str) {
        fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn site(root: &Path, name: &str) -> Folder {
        fs::create_dir_all(root.join(name)).unwrap();
        Folder::open(&root.join(name), "").unwrap()
    }

    #[test]
    fn what_one_build_leaves_the_next_one_finds() {
        let root = tempfile::tempdir().unwrap();
        let caches = BuildCaches::new(root.path().join("cache"));
        let cache = caches.open(&project(), 0).unwrap();
        let first = site(root.path(), "first");
        write(first.path().join(".next/cache/a/b"), "b");
        symlink("/etc", first.path().join(".next/cache/link")).unwrap();
        assert_eq!(cache.restore(".next/cache", &first).unwrap(), None);
        assert!(cache.save(".next/cache", &first).unwrap());
        assert!(!cache.save(".cache", &first).unwrap());

        let second = site(root.path(), "second");
        assert_eq!(cache.restore(".next/cache", &second).unwrap(), Some(second.path().join(".next")));
        assert_eq!(fs::read_to_string(second.path().join(".next/cache/a/b")).unwrap(), "b");
        let link = fs::symlink_metadata(second.path().join(".next/cache/link")).unwrap();
        assert!(link.is_symlink(), "a link is copied, not what it leads to");
        assert_eq!(cache.restore(".next/cache", &second).unwrap(), None, "what is there stays");

        let purged = caches.open(&project(), 1).unwrap();
        assert_eq!(purged.restore(".next/cache", &site(root.path(), "third")).unwrap(), None);
    }

    #[test]
    fn a_link_in_the_way_leads_nowhere() {
        let root = tempfile::tempdir().unwrap();
        let caches = BuildCaches::new(root.path().join("cache"));
        let cache = caches.open(&project(), 0).unwrap();
        let first = site(root.path(), "first");
        write(first.path().join(".next/cache/a"), "a");
        cache.save(".next/cache", &first).unwrap();
        let hostile = site(root.path(), "hostile");
        let outside = root.path().join("outside");
        fs::create_dir(&outside).unwrap();
        symlink(&outside, hostile.path().join(".next")).unwrap();
        assert_eq!(cache.restore(".next/cache", &hostile).unwrap(), None);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        // Nor does the cache take in what is outside.
        write(outside.join("cache/secret"), "s");
        assert!(!cache.save(".next/cache", &hostile).unwrap());
    }

    #[test]
    fn package_managers_share_their_directories() {
        let root = tempfile::tempdir().unwrap();
        let caches = BuildCaches::new(root.path().to_owned());
        let (one, two) = (caches.open(&project(), 3).unwrap(), caches.open(&project(), 3).unwrap());
        assert!(!one.is_warm());
        let npm = one.of_packages("npm").unwrap();
        write(npm.join("_cacache/x"), "");
        assert_eq!(two.of_packages("npm").unwrap(), npm);
        assert!(two.is_warm());
    }

    #[test]
    fn what_is_old_purged_or_of_nobody_goes_once_no_build_uses_it() {
        let root = tempfile::tempdir().unwrap();
        let caches = BuildCaches::new(root.path().to_owned());
        let current = caches.open(&project(), 1).unwrap();
        for (_, program) in PACKAGE_CACHES {
            current.of_packages(program).unwrap();
        }
        let week_ago =
            SystemTime::UNIX_EPOCH + Duration::from_secs(now().as_micros() as u64 / 1_000_000 - 8 * 86_400);
        let old = current.directory.join("bun/read");
        File::options().write(true).open(old).unwrap().set_modified(week_ago).unwrap();
        write(root.path().join(project().as_str()).join("0/npm/files/x"), "");
        write(root.path().join("deleted/0/npm/files/x"), "");
        let epochs = HashMap::from([(project(), 1)]);
        let names = |path: &Path| {
            let mut names: Vec<String> =
                directories(path).unwrap().into_iter().map(|(name, _)| name).collect();
            names.sort();
            names
        };
        caches.sweep(&epochs, now()).unwrap();
        assert_eq!(names(root.path()), [project().as_str()]);
        let of_project = root.path().join(project().as_str());
        assert_eq!(names(&of_project), ["0", "1"], "in use");
        drop(current);
        caches.sweep(&epochs, now()).unwrap();
        assert_eq!(names(&of_project), ["1"]);
        assert_eq!(names(&of_project.join("1")), ["npm", "pnpm", "yarn"]);
    }

    #[test]
    fn the_entries_read_longest_ago_go_first() {
        let root = tempfile::tempdir().unwrap();
        let second = |ago: u64| {
            SystemTime::UNIX_EPOCH + Duration::from_secs(now().as_micros() as u64 / 1_000_000 - ago)
        };
        for (name, ago) in [("a", 30), ("b", 10), ("c", 20)] {
            write(root.path().join(name).join("files/x"), &"x".repeat(8192));
            let marker = root.path().join(name).join("read");
            write(&marker, "");
            File::options().write(true).open(marker).unwrap().set_modified(second(ago)).unwrap();
        }
        let gone = superfluous(root.path(), now(), 30_000).unwrap();
        assert_eq!(gone, [root.path().join("a")]);
        assert!(superfluous(root.path(), now(), 1 << 20).unwrap().is_empty());
    }
}
