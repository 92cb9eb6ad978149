//! The programs that Functions need: workerd to run them, wrangler to compile them.
//!
//! Each is taken where the operator says it is, else from the server's own folder of tools, into which [`install()`]
//! puts the pinned versions, else from the PATH. Nothing is ever downloaded without being asked for.
//!
//! What npm puts on the PATH as `workerd` is a script for Node. A process of Node between us and workerd passes on
//! neither signals nor sockets well, so the program behind the script is looked for.

mod install;
mod workerd;
mod wrangler;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

pub use install::{InstallError, Installed, PINNED_WORKERD, PINNED_WRANGLER, install};
pub use wrangler::Wrangler;

/// What begins the name of a directory that holds an installation.
const INSTALLED: &str = "runtime-";

/// Where the programs are looked for.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The server's own folder of tools.
    pub folder: PathBuf,
    /// workerd, as the operator names it: the program, or npm's script for it.
    pub workerd: Option<PathBuf>,
    /// wrangler, as the operator names it: the directory of its package, or its script.
    pub wrangler: Option<PathBuf>,
    /// The directories of the PATH.
    pub path: Vec<PathBuf>,
}

/// A program that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// What was found.
    pub program: T,
    /// Its version, as it says itself.
    pub version: String,
    /// Where it was found.
    pub origin: Origin,
}

/// Where a program was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Where the operator says.
    Setting,
    /// In the server's own folder, in the version that this program pins.
    Pinned,
    /// In the server's own folder, installed by another version of this program.
    Unpinned,
    /// On the PATH.
    Path,
}

/// Why a program is not there, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Absent {
    /// It is nowhere.
    #[error("{0} is not installed; `offprint runtime install` installs it")]
    Nowhere(&'static str),
    /// It is where it was looked for, and cannot be used.
    #[error("{} cannot be used: {why}", path.display())]
    Unusable {
        /// What was found.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl Absent {
    fn unusable(path: &Path, why: impl fmt::Display) -> Self {
        Self::Unusable { path: path.to_owned(), why: why.to_string() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Setting => "named by the operator",
            Self::Pinned => "installed",
            Self::Unpinned => "installed by another version of this program",
            Self::Path => "on the PATH",
        })
    }
}

impl Places {
    /// Finds workerd: the program itself, which answers when it is asked for its version. May take seconds; not for
    /// a thread that others wait for.
    ///
    /// # Errors
    /// It is not there, or where the operator says there is something else.
    pub fn workerd(&self) -> Result<Found<PathBuf>, Absent> {
        self.find("workerd", self.workerd.as_deref(), workerd::program_behind, workerd::version)
    }

    /// Finds wrangler. Its version is what its package says: starting it only for that would take a second.
    ///
    /// # Errors
    /// As [`Places::workerd`].
    pub fn wrangler(&self) -> Result<Found<Wrangler>, Absent> {
        self.find("wrangler", self.wrangler.as_deref(), wrangler::Wrangler::behind, Wrangler::version)
    }

    /// A place of the operator's own is not passed over for another: he would believe that it is used.
    fn find<T>(
        &self,
        name: &'static str,
        setting: Option<&Path>,
        behind: impl Fn(&Path) -> Result<T, Absent>,
        version: impl Fn(&T) -> Result<String, Absent>,
    ) -> Result<Found<T>, Absent> {
        let found = |program, origin| version(&program).map(|version| Found { program, version, origin });
        if let Some(named) = setting {
            return found(behind(named)?, Origin::Setting);
        }
        let in_folder = self.installations().into_iter();
        let in_folder = in_folder.map(|(root, origin)| (root.join("node_modules").join(name), origin));
        let on_path = self.path.iter().map(|directory| (directory.join(name), Origin::Path));
        let mut reason = Absent::Nowhere(name);
        for (candidate, origin) in in_folder.chain(on_path).filter(|(candidate, _)| candidate.exists()) {
            match behind(&candidate).and_then(|program| found(program, origin)) {
                Ok(found) => return Ok(found),
                // Another one may do; the first is the one that was meant.
                Err(why) if matches!(reason, Absent::Nowhere(_)) => reason = why,
                Err(_) => {}
            }
        }
        Err(reason)
    }

    /// The installations in the server's own folder: the pinned one, then the others, the newest first.
    pub fn installations(&self) -> Vec<(PathBuf, Origin)> {
        let pinned = install::directory(&self.folder);
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(INSTALLED));
        let mut found: Vec<_> = named
            .map(|entry| {
                let origin = if entry.path() == pinned { Origin::Pinned } else { Origin::Unpinned };
                (entry.metadata().and_then(|metadata| metadata.modified()).ok(), entry.path(), origin)
            })
            .collect();
        found.sort_by_key(|(modified, _, origin)| (*origin == Origin::Pinned, *modified));
        found.into_iter().rev().map(|(_, path, origin)| (path, origin)).collect()
    }
}

#[cfg(test)]
mod tests;
