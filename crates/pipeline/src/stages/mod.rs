//! The stages of a build, one file each, and how one follows another.
//!
//! A build that was interrupted by our fault is begun anew by the next worker. Stages only go forward: what an
//! earlier attempt has ended keeps its times, and the stage in which it was interrupted goes on until the new
//! attempt has passed it.

mod build;
mod clone_repo;
pub(crate) mod deploy;
mod functions;
mod initialize;
mod plan;
mod remote;
pub(crate) mod step;
mod toolchain;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use offprint_functions::tools::Places;
use offprint_model::config::EnvVar;
use offprint_model::deployment::{Deployment, SkipReason};
use offprint_model::id::DeploymentId;
use offprint_model::name::ProjectName;
use offprint_model::stages::{IllegalStep, StageEnd, StageName, StageStatus, Stages};
use offprint_store::{Clock, Lease, Store, StoreError, Wake, Work};
use tokio_util::sync::CancellationToken;

use crate::builder::{BuildLimits, Builder, BuilderError};
use crate::cache::BuildCaches;
use crate::host_tools::HostTools;
use crate::ingest::{SiteLimits, blocking, ingest};
use crate::log_sink::LogSink;
use crate::mask::{Masker, SECRET_BYTES_MIN};
use crate::workspace::WorkDirs;
use deploy::Deployer;

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
    lease: &'a Lease,
    work: &'a Work,
    dirs: &'a WorkDirs,
    log: &'a LogSink,
    stop: &'a CancellationToken,
}

impl Context<'_> {
    fn options(&self) -> &BuildOptions {
        &self.builds.options
    }

    fn deployment(&self) -> &Deployment {
        &self.work.deployment
    }
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
    pub(crate) async fn run(&self, lease: &Lease, stop: &CancellationToken) -> Result<(), StageError> {
        let work = self.store.work(lease).await?;
        if work.content.is_some() {
            // An earlier attempt has built it.
            return Ok(self.deployer.run(lease).await?);
        }
        let root = self.options.work_dir.join(lease.deployment_id().as_str());
        let made = blocking(move || WorkDirs::make(root)).await;
        let dirs = made.map_err(StageError::io("make the directories of a build"))?;
        let outcome = self.run_in(lease, &work, &dirs, stop).await;
        let removed = blocking(move || dirs.remove()).await;
        if let Err(error) = removed {
            tracing::warn!(deployment.id = %lease.deployment_id(), %error, "cannot remove the directories of a build");
        }
        outcome
    }

    async fn run_in(
        &self,
        lease: &Lease,
        work: &Work,
        dirs: &WorkDirs,
        stop: &CancellationToken,
    ) -> Result<(), StageError> {
        let secrets = secrets_of(work);
        let masker = Masker::new(secrets.iter().map(|(_, value)| value));
        let log = LogSink::start(self.store.clone(), lease.clone(), masker, stop.clone());
        let ctx = Context { builds: self, lease, work, dirs, log: &log, stop };
        let mut progress = Progress { store: &self.store, lease, stages: work.deployment.stages };
        let outcome = ctx.build(&mut progress, &secrets).await;
        match outcome {
            Ok(Outcome::Done(built)) => {
                log.close().await?;
                self.deployer.run(lease).await?;
                // Nobody shall wait for the site until we have tidied up.
                self.wake.edge();
                built.keep().await;
                Ok(())
            }
            Ok(Outcome::Failed(why)) => {
                log.say(format!("Error: {why}")).await;
                log.close().await?;
                let stages = failed(progress.stages).map_err(illegal)?;
                Ok(self.store.finish_failed(lease, stages).await?)
            }
            Ok(Outcome::Skipped(reason)) => {
                log.say("The commit message asks for no deployment: nothing is built.").await;
                log.close().await?;
                Ok(self.store.skip_deployment(lease, reason).await?)
            }
            Err(error) => {
                // Where the deployment was canceled, nothing is written any more. Our fault is told by the caller.
                log.say("The server interrupted the build and will begin it anew.").await;
                let _ = log.close().await;
                Err(error)
            }
        }
    }
}

impl Context<'_> {
    /// Everything up to the moment when the site is in the store.
    async fn build(
        &self,
        progress: &mut Progress<'_>,
        secrets: &[(String, String)],
    ) -> Result<Outcome<build::Built>, StageError> {
        progress.enter(StageName::Initialize).await?;
        initialize::run(self, secrets).await?;
        progress.enter(StageName::CloneRepo).await?;
        let commit = match clone_repo::run(self).await? {
            Outcome::Done(commit) => commit,
            Outcome::Failed(why) => return Ok(Outcome::Failed(why)),
            Outcome::Skipped(reason) => return Ok(Outcome::Skipped(reason)),
        };
        progress.enter(StageName::Build).await?;
        let mut built = match build::run(self, &commit).await? {
            Outcome::Done(built) => built,
            Outcome::Failed(why) => return Ok(Outcome::Failed(why)),
            Outcome::Skipped(reason) => return Ok(Outcome::Skipped(reason)),
        };
        progress.enter(StageName::Deploy).await?;
        let stored = self.store_site(&mut built).await?;
        Ok(match stored {
            Ok(()) => Outcome::Done(built),
            Err(why) => Outcome::Failed(why),
        })
    }

    /// Takes the output directory into the store and makes it the deployment's content.
    async fn store_site(&self, built: &mut build::Built) -> Result<Result<(), String>, StageError> {
        let store = &self.builds.store;
        let scope = store.project_scope(self.lease).await?;
        let (compiled, limits) = (built.compiled.take(), self.options().site_limits);
        let ingested = match ingest(store, &scope, &built.output, compiled, limits).await? {
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
        store.attach_content(self.lease, ingested.content).await?;
        Ok(Ok(()))
    }
}

/// Moves the stages of a deployment forward.
struct Progress<'a> {
    store: &'a Store,
    lease: &'a Lease,
    stages: Stages,
}

impl Progress<'_> {
    /// Ends the stage before and begins this one, unless an earlier attempt has.
    async fn enter(&mut self, name: StageName) -> Result<(), StoreError> {
        let later_begun =
            self.stages.iter().any(|(of, stage)| of >= name && stage.status != StageStatus::Idle);
        if later_begun {
            return Ok(());
        }
        let (current, now) = (self.stages.current(), Clock::now());
        let stages = match self.stages.get(current).status {
            StageStatus::Active => self.stages.end(current, StageEnd::Success, now),
            _ => Ok(self.stages),
        };
        let stages = stages.and_then(|stages| stages.start(name, now)).map_err(illegal)?;
        self.store.set_stages(self.lease, stages).await?;
        self.stages = stages;
        Ok(())
    }
}

/// Ends a deployment in failure where it stands: the active stage, or between two stages the next one.
pub(crate) fn failed(stages: Stages) -> Result<Stages, IllegalStep> {
    let (current, now) = (stages.current(), Clock::now());
    if stages.get(current).status == StageStatus::Active {
        return stages.end(current, StageEnd::Failure, now);
    }
    let next = StageName::ALL.into_iter().find(|name| *name > current).unwrap_or(StageName::Deploy);
    stages.start(next, now)?.end(next, StageEnd::Failure, now)
}

/// A step that the rules forbid means that the stored row is not what we wrote.
pub(crate) fn illegal(step: IllegalStep) -> StoreError {
    StoreError::Corrupt(step.to_string())
}

/// Names and values of what must not be in the log.
fn secrets_of(work: &Work) -> Vec<(String, String)> {
    let variables = work.deployment.config.env_vars.iter().filter_map(|(name, value)| match value {
        EnvVar::Secret(value) => Some((name.clone(), value.expose().clone())),
        EnvVar::Plain(_) => None,
    });
    let mut secrets: Vec<(String, String)> = variables.collect();
    if let Some(credentials) = &work.credentials {
        let own = [("token", &credentials.token), ("ssh_key", &credentials.ssh_key)];
        let set = own.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)));
        secrets.extend(set.map(|(name, value)| (format!("the repository's {name}"), value.expose().clone())));
    }
    secrets
}

/// Secrets that the log cannot hide.
fn too_short(secrets: &[(String, String)]) -> Vec<&str> {
    let short = |(_, value): &&(String, String)| !value.is_empty() && value.trim().len() < SECRET_BYTES_MIN;
    secrets.iter().filter(short).map(|(name, _)| name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::time::Timestamp;

    #[test]
    fn a_failure_is_at_the_stage_where_it_happened() {
        let at = Timestamp::from_micros;
        let shape =
            |stages: Stages| stages.iter().map(|(_, stage)| stage.status.as_str()).collect::<Vec<_>>();
        let queued = Stages::queued(at(1));
        assert_eq!(shape(failed(queued).unwrap()), ["failure", "idle", "idle", "idle", "idle"]);
        let between = queued.end(StageName::Queued, StageEnd::Success, at(2)).unwrap();
        assert_eq!(shape(failed(between).unwrap()), ["success", "failure", "idle", "idle", "idle"]);
        let building = between.start(StageName::Build, at(3)).unwrap();
        assert_eq!(shape(failed(building).unwrap()), ["success", "idle", "idle", "failure", "idle"]);
        assert!(failed(failed(building).unwrap()).is_err());
    }
}
