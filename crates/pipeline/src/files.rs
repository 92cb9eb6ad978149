//! What there is to be built, before it is: directories and files that say what they are, in a workspace or in the store.

use std::path::Path;

/// A directory of what is to be built. Paths are as the author types them: slashes around them are ignored.
pub(crate) trait Files: Clone {
    /// A directory below this one.
    fn folder(&self, path: &str) -> Result<Self, NoFolder>;

    /// Whether there is a file of this name.
    fn has(&self, name: &str) -> bool;

    /// The text of a file that is not longer than this; `None` when there is none.
    fn text(&self, name: &str, bytes_max: u64) -> Option<String>;

    /// The names in it, sorted, the first few.
    fn names(&self, count: usize) -> Vec<String>;

    /// Where it is in what is to be built.
    fn place(&self) -> &Path;

    /// How the author knows what is to be built.
    fn words(&self) -> &'static Words;
}

/// Why a directory cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoFolder {
    /// It is not there, or no directory.
    Absent,
    /// It leads out of what is to be built.
    Outside,
}

/// How authors know what they have built, and the settings by which they do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// The whole.
    pub(crate) whole: &'static str,
    /// The setting for the directory in which the command runs.
    pub(crate) root: &'static str,
    /// The setting for the directory in which it leaves the site.
    pub(crate) output: &'static str,
}

/// Repositories, as the Pages API speaks of them.
pub(crate) static REPOSITORY: Words =
    Words { whole: "repository", root: "root_dir", output: "destination_dir" };
/// Versions, as the Deploys API speaks of them.
pub(crate) static VERSION: Words =
    Words { whole: "version", root: "rootDirectory", output: "outputDirectory" };
