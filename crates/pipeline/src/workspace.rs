//! The directories of one build, and reading in them what a hostile build may have left there.
//!
//! The server reads here only while no process of the build lives, so what was checked stays as it was. A build
//! may still have left links to the server's own files, pipes that block their reader, files without end and
//! trees deeper than a path may be long: each way in here says what it does about them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use offprint_sandbox::remove_tree;

use crate::files::{Files, NoFolder, REPOSITORY, Words};

/// The directories of a build, made anew for each attempt.
#[derive(Clone, Debug)]
pub(crate) struct WorkDirs {
    root: PathBuf,
}

impl WorkDirs {
    /// Makes the directories, and removes first what an earlier attempt has left.
    pub(crate) fn make(root: PathBuf) -> io::Result<Self> {
        remove_tree(&root)?;
        let made = Self { root };
        for directory in [made.workspace(), made.home(), made.clone_home(), made.compiled()] {
            make_private(&directory)?;
        }
        Ok(Self { root: fs::canonicalize(&made.root)? })
    }

    /// The clone of the repository, or the files of the version, in which the build works.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.root.join("workspace")
    }

    /// The home of the build.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// The home of git while it clones; it holds credentials, which the build never sees.
    pub(crate) fn clone_home(&self) -> PathBuf {
        self.root.join("clone-home")
    }

    /// Where the compiled Functions come to be; the build's own commands never see it.
    pub(crate) fn compiled(&self) -> PathBuf {
        self.root.join("compiled")
    }

    /// Removes the credentials.
    pub(crate) fn forget_credentials(&self) -> io::Result<()> {
        remove_tree(&self.clone_home())
    }

    /// Removes everything.
    pub(crate) fn remove(&self) -> io::Result<()> {
        remove_tree(&self.root)
    }
}

/// Makes a directory that nobody else may read.
pub(crate) fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// A directory of the workspace from which files are read.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    /// Without links.
    path: PathBuf,
    /// The workspace, without links; nothing outside is read.
    workspace: PathBuf,
    words: &'static Words,
}

impl Folder {
    /// A directory by its path in the workspace, as typed by the project's owner: slashes around it are ignored.
    pub(crate) fn open(workspace: &Path, path: &str) -> Result<Self, NoFolder> {
        let workspace = fs::canonicalize(workspace).map_err(|_| NoFolder::Absent)?;
        Self { path: workspace.clone(), workspace, words: &REPOSITORY }.folder(path)
    }

    /// The same, of a source that its author knows by these words.
    pub(crate) fn called(self, words: &'static Words) -> Self {
        Self { words, ..self }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The workspace in which it is.
    pub(crate) fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// Where it is in the workspace.
    pub(crate) fn in_workspace(&self) -> &Path {
        self.path.strip_prefix(&self.workspace).unwrap_or(Path::new(""))
    }

    /// The bytes of a file that is not longer than this; `None` when there is none.
    pub(crate) fn bytes(&self, name: &str, bytes_max: u64) -> Option<Vec<u8>> {
        let path = self.inside(name)?;
        // A pipe would block its reader for ever.
        let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path).ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.len() > bytes_max {
            return None;
        }
        let mut bytes = Vec::new();
        File::take(file, bytes_max).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn inside(&self, name: &str) -> Option<PathBuf> {
        let path = fs::canonicalize(self.path.join(relative(name))).ok()?;
        path.starts_with(&self.workspace).then_some(path)
    }
}

impl Files for Folder {
    fn folder(&self, path: &str) -> Result<Self, NoFolder> {
        let path = fs::canonicalize(self.path.join(relative(path))).map_err(|_| NoFolder::Absent)?;
        if !path.starts_with(&self.workspace) {
            return Err(NoFolder::Outside);
        }
        if !path.is_dir() {
            return Err(NoFolder::Absent);
        }
        Ok(Self { path, ..self.clone() })
    }

    fn has(&self, name: &str) -> bool {
        self.inside(name).is_some_and(|path| path.is_file())
    }

    fn text(&self, name: &str, bytes_max: u64) -> Option<String> {
        String::from_utf8(self.bytes(name, bytes_max)?).ok()
    }

    fn names(&self, count: usize) -> Vec<String> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter(|entry| entry.file_name() != ".git")
            .map(|entry| {
                let slash = if entry.file_type().is_ok_and(|kind| kind.is_dir()) { "/" } else { "" };
                format!("{}{slash}", entry.file_name().to_string_lossy())
            })
            .collect();
        names.sort_unstable();
        names.truncate(count);
        names
    }

    fn place(&self) -> &Path {
        self.in_workspace()
    }

    fn words(&self) -> &'static Words {
        self.words
    }
}

/// A typed path without what would make it absolute. A `..` stays: links are resolved after it, and what then
/// leads outside is refused.
pub(crate) fn relative(path: &str) -> PathBuf {
    let kept = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    Path::new(path.trim()).components().filter(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_outside_the_workspace_is_read() {
        let root = tempfile::tempdir().unwrap();
        let outside = root.path().join("secret");
        let workspace = root.path().join("workspace");
        fs::create_dir_all(workspace.join("site")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("key"), "k").unwrap();
        fs::write(workspace.join("site/a"), "a").unwrap();
        symlink(&outside, workspace.join("out")).unwrap();
        symlink(outside.join("key"), workspace.join("site/key")).unwrap();
        symlink("a", workspace.join("site/b")).unwrap();
        let site = Folder::open(&workspace, "/site/").unwrap();
        assert_eq!(site.text("a", 9).as_deref(), Some("a"));
        assert_eq!(site.text("b", 9).as_deref(), Some("a"));
        for name in ["key", "../../secret/key", "absent", ".", "../out/key"] {
            assert_eq!(site.text(name, 9), None, "{name}");
        }
        assert_eq!(site.text("a", 0), None, "too long");
        assert_eq!(Folder::open(&workspace, "out").unwrap_err(), NoFolder::Outside);
        assert_eq!(Folder::open(&workspace, "..").unwrap_err(), NoFolder::Outside);
        assert_eq!(Folder::open(&workspace, "site/a").unwrap_err(), NoFolder::Absent);
        assert_eq!(site.folder("..").unwrap().names(2), ["out", "site/"]);
        assert_eq!(Folder::open(&workspace, "").unwrap().in_workspace(), Path::new(""));
    }

    #[test]
    fn a_pipe_is_no_text_and_blocks_nobody() {
        let root = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&root.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(Folder::open(root.path(), "").unwrap().text("pipe", 9), None);
    }

    #[test]
    fn an_attempt_begins_with_empty_directories() {
        let root = tempfile::tempdir().unwrap();
        let dirs = WorkDirs::make(root.path().join("build")).unwrap();
        fs::write(dirs.clone_home().join("key"), "").unwrap();
        fs::write(dirs.workspace().join("left"), "").unwrap();
        dirs.forget_credentials().unwrap();
        assert!(!dirs.clone_home().exists());
        let again = WorkDirs::make(root.path().join("build")).unwrap();
        assert_eq!(Folder::open(&again.workspace(), "").unwrap().names(9), Vec::<String>::new());
        again.remove().unwrap();
        assert!(!root.path().join("build").exists());
    }
}
