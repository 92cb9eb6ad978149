//! The command, as people type it: each test has a home of its own and an environment that says nothing else.

mod deploy;
mod deployment;
mod operator;
mod project;
mod running;
mod runtime;
mod serve;
mod token;
mod try_site;

use std::path::Path;
use std::process::{Command, Stdio};

use reqwest::Client;
use serde_json::Value;

use crate::support::{ACCOUNT, TOKEN, TestDirectory, TestServer};
pub(crate) use running::Running;

/// The host of the project that most tests deploy to.
const HOST: &str = "demo.pages.localhost";

/// Somebody at a shell. Home and working directory are the same and empty.
pub(crate) struct Shell {
    pub(crate) home: TestDirectory,
    variables: Vec<(String, String)>,
}

impl Shell {
    /// A shell in which nothing is set.
    pub(crate) fn new() -> Self {
        Self { home: TestDirectory::new(), variables: Vec::new() }
    }

    /// A shell with the three variables that a server prints.
    pub(crate) fn at(server: &TestServer) -> Self {
        Self::new()
            .with("CLOUDFLARE_API_BASE_URL", &server.base_url())
            .with("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
            .with("CLOUDFLARE_API_TOKEN", TOKEN)
    }

    /// Sets a variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(set, _)| set != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    /// Runs a command that must succeed.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Said {
        let said = self.try_run(arguments).await;
        assert_eq!(said.code, 0, "offprint {arguments:?} failed:\n{}{}", said.out, said.err);
        said
    }

    /// Runs a command that must fail as commands do: status 1, a reason on standard error and no answer.
    pub(crate) async fn fails(&self, arguments: &[&str]) -> Said {
        let said = self.try_run(arguments).await;
        assert_eq!(said.code, 1, "offprint {arguments:?}:\n{}{}", said.out, said.err);
        assert!(said.err.lines().any(|line| line.starts_with("error: ")), "no reason in:\n{}", said.err);
        said
    }

    pub(crate) async fn try_run(&self, arguments: &[&str]) -> Said {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output().expect("it starts")).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it writes UTF-8");
        Said {
            code: output.status.code().expect("it ends by itself"),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// Starts a command that goes on until it is told to stop.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments), self.path())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offprint"));
        command.args(arguments).env_clear().current_dir(self.path()).stdin(Stdio::null());
        // Git is asked about the folder; a repository around the temporary directory is none of ours.
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("GIT_CEILING_DIRECTORIES", "/");
        command.env("HOME", self.path()).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// What a command said, and how it ended.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Asserts that one of the streams has this text in it.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        let both = format!("{}{}", self.out, self.err);
        assert!(both.contains(text), "{text:?} is not in:\n{both}");
        self
    }

    /// Standard output, which is JSON and nothing else.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in:\n{}", self.out))
    }

    /// The last line of standard output.
    pub(crate) fn last_line(&self) -> &str {
        self.out.lines().next_back().unwrap_or_default()
    }
}

/// GET from a site on this machine: status and body.
async fn get(origin: &str, host: &str, path: &str) -> (u16, Vec<u8>) {
    let http = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    let response = http.get(format!("{origin}{path}")).header("host", host).send().await.unwrap();
    (response.status().as_u16(), response.bytes().await.unwrap().into())
}
