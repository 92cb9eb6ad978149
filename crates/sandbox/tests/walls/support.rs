//! A sandbox, and commands in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use offprint_sandbox::{Exit, Helper, Limits, Mount, Sandbox, SandboxOptions, Spec};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A sandbox with directories of its own.
pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) directory: TempDir,
    walls: bool,
}

/// How a command ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) lines: Vec<String>,
}

impl Outcome {
    pub(crate) fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// Whether any line contains all of these words.
    pub(crate) fn says(&self, words: &[&str]) -> bool {
        self.lines.iter().any(|line| words.iter().all(|word| line.contains(word)))
    }
}

/// Generous; a test that is about a limit lowers it.
pub(crate) const LIMITS: Limits =
    Limits { time: Duration::from_secs(120), memory_bytes: 1 << 30, pids: 256, disk_bytes: 1 << 30, cpus: 2 };

impl Bench {
    /// With walls; `None` where there are none to be had.
    pub(crate) async fn with_walls() -> Option<Self> {
        Self::allowing("").await
    }

    /// With walls and a list of what is open.
    pub(crate) async fn allowing(allow: &str) -> Option<Self> {
        if !Sandbox::is_installed() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "bubblewrap is missing");
            eprintln!("skipped: bubblewrap is not installed");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::with_walls(options(directory.path(), allow)).await.unwrap();
        Some(Self::new(sandbox, directory, true))
    }

    /// Without walls.
    pub(crate) fn plain() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::plain(options(directory.path(), "")).unwrap();
        Self::new(sandbox, directory, false)
    }

    fn new(sandbox: Sandbox, directory: TempDir, walls: bool) -> Self {
        for name in ["workspace", "home"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        Self { sandbox, directory, walls }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A shell script, in the workspace.
    pub(crate) fn script(&self, script: &str) -> Spec {
        self.command(&["sh", "-c", script])
    }

    /// A command, in the workspace.
    pub(crate) fn command(&self, argv: &[&str]) -> Spec {
        let own =
            |name: &str, inside: &str| Mount { host: self.path(name), inside: inside.into(), writable: true };
        let seen = |name: &str, inside: &str| if self.walls { inside.into() } else { self.path(name) };
        Spec {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env: Vec::new(),
            mounts: vec![own("workspace", "/workspace"), own("home", "/home/build")],
            workdir: seen("workspace", "/workspace"),
            home: seen("home", "/home/build"),
            counted: vec![self.path("workspace"), self.path("home")],
            network: true,
            limits: LIMITS,
            service: None,
        }
    }

    pub(crate) async fn run(&self, spec: Spec) -> Outcome {
        self.run_until(spec, CancellationToken::new()).await
    }

    pub(crate) async fn run_until(&self, spec: Spec, stop: CancellationToken) -> Outcome {
        let (sender, mut receiver) = mpsc::channel(16);
        let reading = tokio::spawn(async move {
            let mut lines = Vec::new();
            while let Some(line) = receiver.recv().await {
                lines.push(line);
            }
            lines
        });
        let exit = self.sandbox.run(spec, sender, stop).await.unwrap();
        Outcome { exit, lines: reading.await.unwrap() }
    }

    /// Runs a script and expects it to end well.
    pub(crate) async fn sh(&self, script: &str) -> Outcome {
        let outcome = self.run(self.script(script)).await;
        assert_eq!(outcome.exit, Exit::Code(0), "{}", outcome.text());
        outcome
    }
}

fn options(directory: &Path, allow: &str) -> SandboxOptions {
    SandboxOptions {
        helper: Helper { program: env!("CARGO_BIN_EXE_sandbox-helper").into(), args: Vec::new() },
        scratch: directory.join("scratch"),
        allow: allow.parse().unwrap(),
        tools: Vec::new(),
    }
}

/// Processes of this machine with a word in their command line.
pub(crate) fn processes_with(word: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(word)
        })
        .collect()
}

/// Fails when a process with this word in its command line lives, as seen from outside.
pub(crate) fn assert_gone(word: &str) {
    assert!(processes_with(word).is_empty(), "{word} lives");
}
