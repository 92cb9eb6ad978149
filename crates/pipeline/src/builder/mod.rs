//! Runs the commands of a build: git, package managers, the build command itself.
//!
//! What runs here was written by whoever can push, so a builder promises walls (docs/BUILD-ISOLATION.md says which)
//! and an end: when [`Builder::run`] returns, nothing that the step has started lives any more.

mod bubblewrap;
mod process;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use bubblewrap::BubblewrapBuilder;
pub use offprint_sandbox::helper::main as sandbox_helper;
pub use offprint_sandbox::{
    AllowList, Exit, Helper, Limit, Limits as BuildLimits, Mount as Bind, SandboxError as BuilderError,
    SandboxOptions as BuilderOptions,
};
pub use process::ProcessBuilder;

/// Where a step's workspace is, as it sees it; see [`Builder::seen`].
pub const WORKSPACE: &str = "/workspace";
/// Where a step's home is, as it sees it; see [`Builder::seen`].
pub const HOME: &str = "/home/build";

/// Takes what a step prints: lines of standard output and standard error in the order of their arrival, without
/// their ends, in UTF-8, at most 16 KiB each. What the builder has to say about the step arrives here, too: which
/// addresses it was refused, which limit it ran into. A full channel makes the step wait; a closed one does not
/// end it.
pub type OutputSink = mpsc::Sender<String>;

/// What [`Builder::run`] returns.
pub type RunFuture<'a> = Pin<Box<dyn Future<Output = Result<Exit, BuilderError>> + Send + 'a>>;

/// One command of a build.
#[derive(Clone, Debug)]
pub struct Step {
    /// The program, found on the PATH that it gets itself, and its arguments.
    pub argv: Vec<String>,
    /// Its environment. Nothing of the server's is added; the builder itself sets PATH, HOME, USER, LANG, TMPDIR and
    /// what leads to the network and to its certificates, and whatever is named here wins.
    pub env: Vec<(String, String)>,
    /// Absolute path of the directory on this machine that the step sees as [`WORKSPACE`].
    pub workspace: PathBuf,
    /// Where the step starts: a path relative to the workspace.
    pub workdir: PathBuf,
    /// Absolute path of the directory on this machine that the step sees as [`HOME`].
    pub home: PathBuf,
    /// What else it sees. A later one lies on top of an earlier one and of workspace and home.
    pub binds: Vec<Bind>,
    /// Whether it reaches the network, which is to say the addresses that are open to builds.
    pub network: bool,
    /// How much it may use.
    pub limits: BuildLimits,
}

/// Runs steps, any number at once.
pub trait Builder: Send + Sync {
    /// The value of `--builder` that chooses it.
    fn name(&self) -> &'static str;

    /// Under which path a step sees what is at `host` and bound at `inside`. Whatever names a path in the argv or
    /// environment of a step asks here first, for not every builder can move things.
    fn seen(&self, host: &Path, inside: &Path) -> PathBuf;

    /// Gives everything below a directory to the user that steps run as. Call it for what the server itself has
    /// put into a directory that steps have used before; a directory made by the server and not yet used is given
    /// away at its first use. Follows no links.
    ///
    /// # Errors
    /// The tree cannot be read or changed.
    fn hand_over(&self, directory: &Path) -> Result<(), BuilderError>;

    /// What ssh has to run inside to reach the network, as its `ProxyCommand`; `None` when nothing is in the way.
    fn ssh_proxy(&self) -> Option<String>;

    /// Runs one step to its end. Returns when it and all that it has started are dead, also after `stop`, which ends
    /// it at once. Dropping the future ends the step as well, a moment later.
    ///
    /// # Errors
    /// The step could not be started or watched, which is no fault of the build.
    fn run<'a>(&'a self, step: Step, output: OutputSink, stop: CancellationToken) -> RunFuture<'a>;
}
