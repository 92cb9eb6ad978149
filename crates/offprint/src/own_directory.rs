//! What a process needs while it runs, apart from what other processes of the same data directory need.
//!
//! Several servers may use one data directory. Sockets and temporary files are of use to the one that made them only, so
//! each process has a numbered directory of its own below the one that all share, and holds a lock on it. Whoever comes
//! removes what nobody holds: the kernel lets go of a lock however its process ends. Considered and left: the process's
//! id as the name, which comes again, in containers every time.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use offprint_sandbox::remove_tree;

/// A directory of this process alone. Dropping removes it.
#[derive(Debug)]
pub(crate) struct OwnDirectory {
    path: PathBuf,
    /// Locked while it is open.
    _held: File,
}

impl OwnDirectory {
    /// Makes one below `shared`, and removes there what ended processes have left.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn take(shared: &Path) -> io::Result<Self> {
        make_private(shared)?;
        // One at a time: what was made and is not locked yet would be taken for left.
        let door = File::open(shared)?;
        door.lock()?;
        for entry in fs::read_dir(shared)? {
            let path = entry?.path();
            if let Err(error) = remove_unless_held(&path) {
                tracing::warn!(%error, path = %path.display(), "cannot remove what an ended process has left");
            }
        }
        let mut numbers = (1_u64..).map(|number| shared.join(number.to_string()));
        let path = numbers.find(|path| !path.exists()).ok_or(io::ErrorKind::StorageFull)?;
        make_private(&path)?;
        let held = File::open(&path)?;
        held.lock()?;
        Ok(Self { path, _held: held })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for OwnDirectory {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.path) {
            tracing::warn!(%error, directory = %self.path.display(), "cannot remove what this process needed");
        }
    }
}

/// Removes a path that no living process holds. Files are nobody's.
fn remove_unless_held(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        match File::open(path)?.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(()),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
    }
    remove_tree(path)
}

/// Makes a directory, where there is none, that no other user may enter.
fn make_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_have_directories_of_their_own_and_leave_none() {
        let shared = tempfile::tempdir().unwrap();
        let names = || {
            let entries = fs::read_dir(shared.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        fs::create_dir_all(shared.path().join("left/behind")).unwrap();
        fs::write(shared.path().join("file"), "left").unwrap();
        let first = OwnDirectory::take(shared.path()).unwrap();
        fs::write(first.path().join("mine"), "kept").unwrap();
        let second = OwnDirectory::take(shared.path()).unwrap();
        assert_eq!(names(), ["1", "2"]);
        assert!(first.path().join("mine").exists());
        drop(first);
        let third = OwnDirectory::take(shared.path()).unwrap();
        assert_eq!(names(), ["1", "2"]);
        drop((second, third));
        assert!(names().is_empty());
    }
}
