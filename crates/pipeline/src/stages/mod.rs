//! The stages of a build, one file each, and how one follows another: `repository` for commits, `version` for the versions
//! of apps. What the two have in common works with a [`Subject`] and asks not whose it is.
//!
//! A build that was interrupted by our fault is begun anew by the next worker. Stages only go forward: what an
//! earlier attempt has ended keeps its times, and the stage in which it was interrupted goes on until the new
//! attempt has passed it.

mod repository;
mod version;

mod build;
mod clone_repo;
pub(crate) mod collect;
pub(crate) mod deploy;
pub(crate) mod functions;
mod initialize;
pub(crate) mod plan;
mod progress;
mod remote;
pub(crate) mod step;
mod subject;
mod toolchain;

pub(crate) use progress::{failed, illegal};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use offprint_functions::tools::Places;
use offprint_model::deployment::SkipReason;
use offprint_model::id::DeploymentId;
use offprint_model::name::ProjectName;
use offprint_store::{Claim, NewContent, ProjectScope, Store, StoreError, Wake};
use tokio_util::sync::CancellationToken;

use crate::builder::{BuildLimits, Builder, BuilderError};
use crate::cache::BuildCaches;
use crate::host_tools::HostTools;
use crate::ingest::{SiteLimits, blocking, ingest};
use crate::log_sink::LogSink;
use crate::workspace::WorkDirs;
use build::Built;
use deploy::Deployer;
use subject::Subject;

/// The URL of a deployment, for `CF_PAGES_URL`.
pub type UrlOf = Arc<dyn Fn(&ProjectName, &DeploymentId) -> String + Send + Sync>;

/// How builds run.
#[derive(Clone)]
pub struct BuildOptions {
    /// Runs what we do not trust.
    pub builder: Arc<dyn Builder>,
    /// How many builds run at once.
    pub workers: usize,
    /// How many of them may be of one account; `None`: any number.
    pub per_account: Option<u32>,
    /// What a build may use; the time is for installing and building together.
    pub limits: BuildLimits,
    /// How long cloning may take.
    pub clone_timeout: Duration,
    /// Where each build has its directories while it runs.
    pub work_dir: PathBuf,
    /// Where the build caches are.
    pub cache_dir: PathBuf,
    /// The operator's directories of tools; see `--build-tools`.
    pub tools: Vec<PathBuf>,
    /// Where wrangler is looked for, which compiles Functions.
    pub functions_tools: Places,
    /// Below which directory repositories of this machine may be cloned; `None`: none may.
    pub local_repositories: Option<PathBuf>,
    /// What a site may hold.
    pub site_limits: SiteLimits,
    /// Where a deployment will answer.
    pub url_of: UrlOf,
}

/// How a stage went, as far as the repository is concerned.
#[derive(Debug)]
pub(crate) enum Outcome<T> {
    /// It did its work.
    Done(T),
    /// What its author must change, in words for the log.
    Failed(String),
    /// The deployment turned out not to be wanted.
    Skipped(SkipReason),
}

/// Why a stage did not come to an end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StageError {
    /// The deployment was canceled or deleted, the lease is lost, or the server stops.
    #[error("the build was stopped")]
    Stopped,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The builder could not run a program at all.
    #[error("the builder failed")]
    Builder(#[from] BuilderError),
    /// The build's directories could not be used.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// How it failed.
        source: std::io::Error,
    },
}

impl StageError {
    fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

/// What all builds of a process share.
pub(crate) struct Builds {
    pub(crate) store: Store,
    pub(crate) wake: Wake,
    pub(crate) deployer: Deployer,
    pub(crate) options: BuildOptions,
    pub(crate) caches: BuildCaches,
    pub(crate) host_tools: HostTools,
}

/// What the stages of one attempt work with.
struct Context<'a> {
    builds: &'a Builds,
    subject: &'a Subject,
    dirs: &'a WorkDirs,
    log: &'a LogSink,
    stop: &'a CancellationToken,
}

impl Builds {
    pub(crate) fn new(deployer: Deployer, options: BuildOptions) -> Self {
        let caches = BuildCaches::new(options.cache_dir.clone());
        Self {
            store: deployer.store.clone(),
            wake: deployer.wake.clone(),
            deployer,
            options,
            caches,
            host_tools: HostTools::default(),
        }
    }

    /// Takes a build to its end.
    ///
    /// # Errors
    /// It was stopped, or a fault of ours; a later attempt begins anew.
    pub(crate) async fn run(&self, claim: &Claim, stop: &CancellationToken) -> Result<(), StageError> {
        match claim {
            Claim::Deployment(lease) => repository::run(self, lease, stop).await,
            Claim::Version(lease) => version::run(self, lease, stop).await,
        }
    }

    /// Makes the directories of a build.
    async fn make_dirs(&self, id: &str) -> Result<WorkDirs, StageError> {
        let root = self.options.work_dir.join(id);
        let made = blocking(move || WorkDirs::make(root)).await;
        made.map_err(StageError::io("make the directories of a build"))
    }

    /// Removes them again.
    async fn remove_dirs(&self, id: &str, dirs: WorkDirs) {
        if let Err(error) = blocking(move || dirs.remove()).await {
            tracing::warn!(build.id = %id, %error, "cannot remove the directories of a build");
        }
    }
}

impl Context<'_> {
    fn options(&self) -> &BuildOptions {
        &self.builds.options
    }

    /// Takes the output directory into the store. What it makes is nobody's content yet. The inner error is the author's.
    async fn store_site(
        &self,
        built: &mut Built,
        scope: &ProjectScope,
    ) -> Result<Result<NewContent, String>, StageError> {
        let (compiled, limits) = (built.compiled.take(), self.options().site_limits);
        let ingested = match ingest(&self.builds.store, scope, &built.output, compiled, limits).await? {
            Ok(ingested) => ingested,
            Err(why) => return Ok(Err(why)),
        };
        for note in &ingested.notes {
            self.log.say(format!("Warning: {note}.")).await;
        }
        let assets = ingested.content.assets.len();
        self.log
            .say(format!("Stored {} of {assets} assets; the others were there already.", ingested.stored))
            .await;
        Ok(Ok(ingested.content))
    }
}
