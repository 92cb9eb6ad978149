//! How the runtime works, and how much Functions may use.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use offprint_model::id::DeploymentId;
use offprint_model::name::ProjectName;
use offprint_sandbox::{AllowList, Sandbox};
use offprint_store::Store;

use crate::assets::Assets;
use crate::bindings::Bindings;
use crate::tail::Tails;

/// Where a deployment answers.
pub type UrlOf = Arc<dyn Fn(&ProjectName, &DeploymentId) -> String + Send + Sync>;

/// What a runtime works with.
pub struct WorkerdOptions {
    /// The program.
    pub program: PathBuf,
    /// A directory for what processes need; emptied at the start.
    pub directory: PathBuf,
    /// What processes run in; it has no other use.
    pub sandbox: Sandbox,
    /// Where deployments are read from.
    pub store: Store,
    /// The assets of deployments.
    pub assets: Assets,
    /// What Functions keep.
    pub bindings: Bindings,
    /// What they say.
    pub tails: Tails,
    /// What they may reach although it is not public.
    pub allow: AllowList,
    /// How much they may use.
    pub limits: FunctionLimits,
    /// What deployments are told of their addresses.
    pub url_of: UrlOf,
    /// For the log of each deployment with Functions: what is amiss with how this server runs them.
    pub warning: Option<String>,
}

/// How much Functions may use, and for how long they stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionLimits {
    /// Processes at one moment, of all deployments together.
    pub processes: usize,
    /// Processes at one moment of one project.
    pub processes_of_project: usize,
    /// Processes of one deployment, when it is busy.
    pub processes_of_deployment: usize,
    /// Requests under way of one project.
    pub requests_of_project: usize,
    /// Memory of one process, in bytes.
    pub memory_bytes: u64,
    /// How long a process may take to start.
    pub start: Duration,
    /// How long a process may compute without a pause, and without anything that others notice.
    pub compute: Duration,
    /// How long the head of an answer may take at all.
    pub answer: Duration,
    /// How long a preview deployment's processes stay without a request.
    pub idle_preview: Duration,
    /// How long production's processes stay without a request.
    pub idle_production: Duration,
    /// How long requests under way, and what they left to be done, get when a process is to end.
    pub drain: Duration,
    /// Connections to the network at one moment, of one deployment.
    pub connections: usize,
    /// Requests to the network in a minute, of one deployment.
    pub subrequests_a_minute: u64,
    /// Bytes to and from the network in a minute, of one deployment.
    pub subrequest_bytes_a_minute: u64,
}

impl Default for FunctionLimits {
    fn default() -> Self {
        Self {
            processes: 64,
            processes_of_project: 16,
            processes_of_deployment: 4,
            requests_of_project: 1000,
            memory_bytes: 256 << 20,
            start: Duration::from_secs(10),
            compute: Duration::from_secs(30),
            answer: Duration::from_secs(100),
            idle_preview: Duration::from_secs(60),
            idle_production: Duration::from_secs(600),
            drain: Duration::from_secs(10),
            connections: 64,
            subrequests_a_minute: 10_000,
            subrequest_bytes_a_minute: 1 << 30,
        }
    }
}

/// Why the runtime does not start.
#[derive(Debug, thiserror::Error)]
pub enum WorkerdError {
    /// The program does not run here: what was said.
    #[error("workerd does not run here: {0}")]
    Unusable(String),
    /// A file or directory of the runtime.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
}
