//! Unmodified wrangler against the server, each with a home and a working directory of its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{ACCOUNT, Peers, Recorded, Recorder, TOKEN, TestDirectory, TestServer};
use crate::cli::Running;

/// Which released wrangler.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Release {
    /// The newest that runs on the machine's Node.
    Pinned,
    /// The newest of all.
    Newest,
}

/// A wrangler that knows the server, the account and the token.
pub(crate) struct Wrangler {
    node: PathBuf,
    script: PathBuf,
    recorder: Recorder,
    /// Its working directory, which is also its home.
    pub(crate) directory: TestDirectory,
}

impl Wrangler {
    /// Ready to run in a directory of its own, or `None` where it is not installed.
    pub(crate) async fn new(release: Release, server: &TestServer) -> Option<Self> {
        Self::inside(TestDirectory::new(), release, server).await
    }

    /// Ready to run in this directory.
    pub(crate) async fn inside(
        directory: TestDirectory,
        release: Release,
        server: &TestServer,
    ) -> Option<Self> {
        let peers = Peers::find()?;
        let (node, script) = match release {
            Release::Pinned => peers.wrangler(),
            Release::Newest => peers.newest_wrangler()?,
        };
        Some(Self { node, script, recorder: server.recorder().await, directory })
    }

    /// Runs a command that must succeed.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let ran = self.try_run(arguments).await;
        assert!(ran.success, "wrangler {arguments:?} failed:\n{}", ran.output);
        ran
    }

    /// Runs a command.
    pub(crate) async fn try_run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[], "").await
    }

    /// Runs a command with further variables, without those that are empty here, and with something to read.
    pub(crate) async fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Ran {
        let mut command = self.command();
        command.args(arguments);
        for (name, value) in variables {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        let home = self.directory.path().to_owned();
        std::fs::write(home.join("input.txt"), input).unwrap();
        let output = tokio::task::spawn_blocking(move || {
            command.stdin(std::fs::File::open(home.join("input.txt")).unwrap());
            command.output().expect("node starts")
        })
        .await
        .unwrap();
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        Ran {
            success: output.status.success(),
            output: String::from_utf8_lossy(&text).into_owned(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            events: self.take_events(),
            calls: self.recorder.take(),
        }
    }

    /// Starts a command that goes on until it is told to stop.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::null());
        Running::start(command, self.directory.path())
    }

    /// The environment is empty but for what is said here, so nothing about the machine diverts wrangler.
    pub(crate) fn command(&self) -> Command {
        let home = self.directory.path();
        let mut command = Command::new(&self.node);
        command.arg(&self.script).env_clear().current_dir(home);
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", home);
        command.env("CLOUDFLARE_API_BASE_URL", self.recorder.base_url());
        command.env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT).env("CLOUDFLARE_API_TOKEN", TOKEN);
        command.env("WRANGLER_OUTPUT_FILE_PATH", home.join("events.ndjson"));
        command.envs([("CI", "1"), ("NO_COLOR", "1"), ("WRANGLER_SEND_METRICS", "false")]);
        // The banner asks the registry for a newer version.
        command.env("WRANGLER_HIDE_BANNER", "true");
        command
    }

    /// What wrangler told machines about its last run.
    fn take_events(&self) -> Vec<Value> {
        let path = self.directory.path().join("events.ndjson");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// What a run did.
pub(crate) struct Ran {
    pub(crate) success: bool,
    /// Both streams.
    pub(crate) output: String,
    pub(crate) stdout: String,
    /// The results that wrangler wrote for machines.
    events: Vec<Value>,
    /// The calls it made.
    pub(crate) calls: Vec<Recorded>,
}

impl Ran {
    /// How many assets went over the wire.
    pub(crate) fn uploaded(&self) -> usize {
        let uploads = self.calls.iter().filter(|call| call.path == "/pages/assets/upload");
        uploads.map(|call| serde_json::from_slice::<Vec<Value>>(&call.body).unwrap().len()).sum()
    }

    /// The deployment that the run made, as the server answered it.
    pub(crate) fn deployment(&self) -> &Value {
        let created = |call: &&Recorded| call.method == "POST" && call.path.ends_with("/deployments");
        let call = self.calls.iter().find(created).expect("a deployment was made");
        &call.answer["result"]
    }

    /// The result of this kind that wrangler wrote for machines.
    pub(crate) fn event(&self, kind: &str) -> &Value {
        let event = self.events.iter().find(|event| event["type"] == kind);
        event.unwrap_or_else(|| panic!("no {kind} in {:?}", self.events))
    }

    /// Asserts that the output has this text in it.
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.output.contains(text), "{text:?} is not in:\n{}", self.output);
        self
    }
}
