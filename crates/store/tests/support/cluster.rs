//! A PostgreSQL server of the tests' own: made in a temporary directory, as an unprivileged user, reached by a socket in
//! that directory, and gone with it.
//!
//! A shell keeps it. It stops the server and removes the directory when its standard input ends, which it does however
//! the tests end.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::disallowed_methods, reason = "the server's programs are found through the environment")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// The user `nobody`: a server refuses to run as root.
const NOBODY: u32 = 65_534;

/// The texts are compared by the rules of a language, so that a column which forgets to say otherwise is noticed.
const KEEP: &str = r#"
set -e
trap '' HUP INT TERM
cd "$1"
initdb -D data -U postgres --auth=trust --no-sync --encoding=UTF8 --locale=C.UTF-8 \
    --locale-provider=icu --icu-locale=en >log 2>&1
pg_ctl -D data -l log -w -t 120 -o "$2" start >>log 2>&1
echo ready
cat >/dev/null || true
pg_ctl -D data -m immediate stop >>log 2>&1 || true
cd / && rm -rf "$1"
"#;

/// A running server.
pub(crate) struct Cluster {
    directory: PathBuf,
    keeper: Child,
    databases: AtomicU32,
}

impl Cluster {
    /// The server that tests of this process share while any of them runs.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap();
        if let Some(running) = shared.upgrade() {
            return Some(running);
        }
        let started = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&started);
        Some(started)
    }

    /// Starts a server; `None` where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let programs = programs()?;
        let directory = tempfile::Builder::new().prefix("offprint-pg-").tempdir().unwrap().keep();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell.args(["-c", KEEP, "keep"]).arg(&directory).arg(server_options(&directory)).env("PATH", path);
        if std::fs::metadata(&directory).unwrap().uid() == 0 {
            chown(&directory, Some(NOBODY), Some(NOBODY)).unwrap();
            shell.uid(NOBODY).gid(NOBODY);
        }
        let mut keeper = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let log = || std::fs::read_to_string(directory.join("log")).unwrap_or_default();
        assert_eq!(line, "ready\n", "PostgreSQL does not start: {}", log());
        Some(Self { directory, keeper, databases: AtomicU32::new(0) })
    }

    /// The URL of the database that every server has.
    pub(crate) fn url(&self) -> String {
        url_of(&self.directory, "postgres")
    }

    /// Makes a database and returns its URL.
    pub(crate) fn database(&self) -> String {
        self.database_with("")
    }

    /// The same, with what follows in the statement.
    pub(crate) fn database_with(&self, options: &str) -> String {
        let name = format!("database_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&self.url(), &format!("CREATE DATABASE {name} {options}"));
        url_of(&self.directory, &name)
    }

    /// Runs statements in the database of a URL and returns what they say.
    pub(crate) fn sql(&self, url: &str, sql: &str) -> String {
        let mut psql = Command::new(programs().unwrap().join("psql"));
        let output =
            psql.args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-c", sql, url]).output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Ends the server as a crash would.
    pub(crate) fn crash(&self) {
        self.control(&["-m", "immediate", "stop"]);
    }

    /// Starts it again.
    pub(crate) fn restart(&self) {
        self.control(&["start", "-o", &server_options(&self.directory)]);
    }

    fn control(&self, arguments: &[&str]) {
        let mut control = Command::new(programs().unwrap().join("pg_ctl"));
        control.arg("-D").arg(self.directory.join("data")).args(["-w", "-t", "120"]).args(arguments);
        control.arg("-l").arg(self.directory.join("log")).current_dir(&self.directory);
        if std::fs::metadata(&self.directory).unwrap().uid() == NOBODY {
            control.uid(NOBODY).gid(NOBODY);
        }
        let done = control.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
        assert!(done.success(), "pg_ctl {arguments:?}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn server_options(directory: &Path) -> String {
    format!("-k '{}' -c listen_addresses= -c fsync=off -c max_connections=300", directory.display())
}

/// A URL of a server that is reached by a socket in a directory.
fn url_of(directory: &Path, database: &str) -> String {
    format!("postgres://postgres@localhost/{database}?host={}", directory.display())
}

/// Where PostgreSQL's programs are. Debian keeps those of the server off the path. Says so where there are none; that is
/// a failure in CI.
fn programs() -> Option<PathBuf> {
    let on_path = std::env::var("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    places.extend(debian.map(|version| version.path().join("bin")));
    let whole = |place: &&PathBuf| {
        ["initdb", "pg_ctl", "postgres", "psql"].iter().all(|name| place.join(name).is_file())
    };
    let found = places.iter().find(whole).cloned();
    if found.is_none() {
        let why = "PostgreSQL's server programs are not installed";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
    }
    found
}
