//! Installs the pinned versions with npm.
//!
//! The lock file in this program names every package with the hash of its content, which npm compares, and no server:
//! packages come from whichever one the operator's npm is set to. No script of any package runs. The installation is
//! made beside its place and renamed into it, so it is whole or not there.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Absent, Found, INSTALLED, Origin, Places, Wrangler};

/// The version of workerd's package that is installed.
pub const PINNED_WORKERD: &str = "1.20261117.1";
/// The version of wrangler that is installed: the newest that runs on Node 20.
pub const PINNED_WRANGLER: &str = "4.86.0";

const PACKAGE: &str = include_str!("../../tools/package.json");
const LOCK: &str = include_str!("../../tools/package-lock.json");

/// The beginning of the name of a directory in which an installation is being made.
const PARTIAL: &str = "partial-";
/// The file that keeps two from installing at once.
const GUARD: &str = ".installing";
/// Digits of the lock file's hash in the name of its installation.
const HASH_DIGITS: usize = 12;
/// Lines of npm's that are told when it fails.
const LINES_TOLD: usize = 12;

/// What is installed now.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Where.
    pub directory: PathBuf,
    /// Whether this call has made it.
    pub is_new: bool,
    /// workerd.
    pub workerd: Found<PathBuf>,
    /// wrangler.
    pub wrangler: Found<Wrangler>,
}

/// Why nothing was installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// There is no npm.
    #[error(
        "npm is not on the PATH; install Node.js 20 or newer with npm, or name a workerd that you have with --workerd"
    )]
    NoNpm,
    /// Somebody else is installing.
    #[error("another installation is under way in {}", .0.display())]
    UnderWay(PathBuf),
    /// npm failed.
    #[error("npm could not install the packages (is its registry reached?); it says:\n{0}")]
    Npm(String),
    /// What npm has installed cannot be used.
    #[error("what npm has installed does not work here: {0}")]
    Unusable(#[from] Absent),
    /// The folder.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path = path.to_owned();
    move |source| InstallError::Io { doing, path, source }
}

/// The place of the pinned installation in a folder of tools.
pub(super) fn directory(folder: &Path) -> PathBuf {
    let hash = blake3::hash(LOCK.as_bytes()).to_hex();
    folder.join(format!("{INSTALLED}{}", &hash[..HASH_DIGITS]))
}

/// Installs the pinned versions into the folder by this npm; does nothing where they are. `told` hears of what takes
/// long.
/// Waits for npm; not for a thread that others wait for.
///
/// # Errors
/// See [`InstallError`]. Nothing is left of what failed.
pub fn install(folder: &Path, npm: &Path, told: impl Fn(&str)) -> Result<Installed, InstallError> {
    fs::create_dir_all(folder).map_err(failed("cannot make the folder", folder))?;
    let guard = folder.join(GUARD);
    let lock = File::create(&guard).map_err(failed("cannot write", &guard))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(InstallError::UnderWay(folder.to_owned())),
        Err(TryLockError::Error(error)) => return Err(failed("cannot lock", &guard)(error)),
    }
    remove_partial(folder);
    let directory = directory(folder);
    if let Ok(installed) = look(&directory, false) {
        return Ok(installed);
    }
    let partial = folder.join(format!("{PARTIAL}{}", std::process::id()));
    let made = make(&partial, npm, &told).and_then(|()| {
        look(&partial, true)?;
        // One that is there does not work, or we would not be here.
        let _ = fs::remove_dir_all(&directory);
        fs::rename(&partial, &directory).map_err(failed("cannot rename", &partial))?;
        Ok(look(&directory, true)?)
    });
    if made.is_err() {
        let _ = fs::remove_dir_all(&partial);
    }
    made
}

/// What somebody has left who was interrupted.
fn remove_partial(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether an installation works.
fn look(directory: &Path, is_new: bool) -> Result<Installed, Absent> {
    let modules = directory.join("node_modules");
    // Looked for as if the operator had named them: nothing but these will do.
    let here = Places {
        workerd: Some(modules.join("workerd")),
        wrangler: Some(modules.join("wrangler")),
        ..Places::default()
    };
    let (mut workerd, mut wrangler) = (here.workerd()?, here.wrangler()?);
    (workerd.origin, wrangler.origin) = (Origin::Pinned, Origin::Pinned);
    Ok(Installed { directory: directory.to_owned(), is_new, workerd, wrangler })
}

fn make(partial: &Path, npm: &Path, told: impl Fn(&str)) -> Result<(), InstallError> {
    fs::create_dir(partial).map_err(failed("cannot make the folder", partial))?;
    for (name, text) in [("package.json", PACKAGE), ("package-lock.json", LOCK)] {
        let file = partial.join(name);
        fs::write(&file, text).map_err(failed("cannot write", &file))?;
    }
    told(&format!(
        "Installing workerd {PINNED_WORKERD} and wrangler {PINNED_WRANGLER} with npm (about 230 MB) …"
    ));
    let output = Command::new(npm)
        .args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
            "--loglevel=error",
        ])
        .current_dir(partial)
        .stdin(Stdio::null())
        .output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => InstallError::NoNpm,
        _ => failed("cannot run", npm)(error),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said =
        [output.stderr, output.stdout].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).take(LINES_TOLD).collect();
    Err(InstallError::Npm(lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_lock_file_pins_every_package_by_its_hash_and_names_no_server() {
        let lock: Value = serde_json::from_str(LOCK).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        let (_, rest): (Vec<_>, Vec<_>) = packages.iter().partition(|(name, _)| name.is_empty());
        assert!(rest.len() > 30);
        for (name, package) in rest {
            let hash = package["integrity"].as_str().unwrap_or_default();
            assert!(hash.starts_with("sha512-"), "{name}");
        }
        assert!(!LOCK.contains("://") && !PACKAGE.contains("://"));
        for (name, version) in [("workerd", PINNED_WORKERD), ("wrangler", PINNED_WRANGLER)] {
            assert_eq!(packages[&format!("node_modules/{name}")]["version"], version);
            assert_eq!(packages[""]["dependencies"][name], version);
        }
        let workerds = packages.keys().filter(|name| name.ends_with("/workerd-linux-64")).count();
        assert_eq!(workerds, 1, "one workerd is enough");
    }

    #[test]
    fn without_npm_it_says_what_to_do_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let error = install(folder.path(), Path::new("/nowhere/npm"), |_| {}).unwrap_err();
        assert!(matches!(error, InstallError::NoNpm), "{error}");
        assert_eq!(names(folder.path()), [GUARD]);
    }

    #[test]
    fn an_npm_that_fails_is_quoted_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("partial-1")).unwrap();
        // A shell takes `ci` for a file that is not there.
        let error = install(folder.path(), Path::new("sh"), |_| {}).unwrap_err().to_string();
        assert!(error.starts_with("npm could not install") && error.contains("ci"), "{error}");
        let error = install(folder.path(), Path::new("true"), |_| {}).unwrap_err();
        assert!(matches!(error, InstallError::Unusable(_)), "{error}");
        assert_eq!(names(folder.path()), [GUARD], "what was left by an earlier one is gone, too");
    }

    #[test]
    fn two_do_not_install_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let held = File::create(folder.path().join(GUARD)).unwrap();
        held.lock().unwrap();
        let error = install(folder.path(), Path::new("npm"), |_| {}).unwrap_err();
        assert!(matches!(error, InstallError::UnderWay(_)), "{error}");
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.into_string().unwrap()).collect()
    }
}
