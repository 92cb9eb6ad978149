//! The files of a deployment that runs: its configuration, what that embeds, and the sockets of each process.
//!
//! Derived data, made when the first process starts and gone with the last. Numbers name the directories, since paths of
//! sockets are short and names of projects need not be.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use offprint_sandbox::remove_tree;

use super::config::{Config, SOCKETS};

/// The name of the configuration of a process that tells of its calls.
pub(super) const TELLING: &str = "config.capnp";
/// The same of one that is quiet.
pub(super) const QUIET: &str = "quiet.capnp";

/// The directories of all deployments.
pub(super) struct Directories {
    root: PathBuf,
    next: AtomicU64,
}

/// The directory of one deployment. Dropping removes it.
pub(super) struct Directory {
    path: PathBuf,
    next: AtomicU64,
}

/// The place of one process in it.
pub(super) struct Place {
    /// Its name in the deployment's directory.
    pub(super) name: String,
    /// The directory itself, where the listening socket is.
    pub(super) path: PathBuf,
    /// The directory of the sockets that lead out.
    pub(super) sockets: PathBuf,
}

impl Directories {
    /// Takes a directory over, and removes what an earlier run has left in it.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        remove_tree(root)?;
        // Others of this machine could read secrets' neighbours and use the sockets.
        DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        Ok(Self { root: root.canonicalize()?, next: AtomicU64::new(1) })
    }

    /// The directory of all.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a deployment's files.
    pub(super) fn create(&self, config: &Config) -> io::Result<Directory> {
        let path = self.root.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let directory = Directory { path, next: AtomicU64::new(1) };
        make(&directory.path)?;
        for folder in ["m", "v"] {
            make(&directory.path.join(folder))?;
        }
        write(&directory.path.join(TELLING), config.telling.as_bytes())?;
        write(&directory.path.join(QUIET), config.quiet.as_bytes())?;
        for (path, content) in &config.files {
            write(&directory.path.join(path), content)?;
        }
        Ok(directory)
    }
}

impl Directory {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A place for another process.
    pub(super) fn place(&self) -> io::Result<Place> {
        let name = format!("p{}", self.next.fetch_add(1, Ordering::Relaxed));
        let path = self.path.join(&name);
        let sockets = path.join(SOCKETS);
        make(&path)?;
        make(&sockets)?;
        Ok(Place { name, path, sockets })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.path) {
            tracing::warn!(%error, directory = %self.path.display(), "cannot remove the files of Functions");
        }
    }
}

/// Whoever runs the program reads them; the directory above keeps all others out.
fn make(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    io::Write::write_all(&mut File::create(path)?, content)?;
    fs::set_permissions(path, Permissions::from_mode(0o644))
}
