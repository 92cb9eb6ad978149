//! The deploy stage: compile the rules, see that the Functions start, seal, activate. The same for uploads, builds and
//! retries.
//!
//! A rollback does not come through here: what it goes back to has been through once, and must be live at once.

use std::sync::Arc;

use offprint_functions::{CheckFailure, DeploymentKey, FunctionRuntime};
use offprint_model::config::EnvVar;
use offprint_model::deployment::{Deployment, LogLine};
use offprint_model::rules::{RuleIssue, headers, redirects};
use offprint_model::stages::{IllegalStep, StageEnd, StageName, StageStatus, Stages};
use offprint_store::{Clock, JobKind, Lease, ShortId, SiteDocument, Store, StoreError, Verified, Wake, Work};

use super::remote::{Remote, RemoteError};
use super::{failed, illegal};
use crate::mask::Masker;
use crate::verify::{Ways, verify};

/// Takes queued deployments live.
#[derive(Clone)]
pub(crate) struct Deployer {
    pub(crate) store: Store,
    pub(crate) wake: Wake,
    /// What will run the Functions; `None`: nobody is asked about them.
    pub(crate) functions: Option<Arc<dyn FunctionRuntime>>,
    /// The ways out of the house.
    pub(crate) ways: Ways,
}

impl Deployer {
    /// Takes a queued deployment live.
    ///
    /// # Errors
    /// A fault of ours, or the lease was lost. The stages then stand where they stood, and a later attempt
    /// resumes from there.
    pub(crate) async fn run(&self, lease: &Lease) -> Result<(), StoreError> {
        let store = &self.store;
        let work = store.work(lease).await?;
        if work.deployment.stages.is_success() {
            // An earlier attempt has taken it live.
            return self.look(lease, &work, None).await;
        }
        let stages = begin(work.deployment.stages).map_err(illegal)?;
        store.set_stages(lease, stages).await?;
        let mut report = report(&work);
        let (lines, is_good) = self.check_functions(&work).await;
        report.extend(lines);
        store.append_log(lease, &report).await?;
        if !is_good {
            return store.finish_failed(lease, failed(stages).map_err(illegal)?).await;
        }
        let sealed = store.seal(lease).await?;
        let seen = match self.ship(lease, &work).await {
            Ok(seen) => seen,
            Err(RemoteError::Store(error)) => return Err(error),
            Err(RemoteError::Refused(why)) => {
                store.append_log(lease, &[line_now(&format!("Error: {why}"))]).await?;
                return store.finish_failed(lease, failed(stages).map_err(illegal)?).await;
            }
        };
        let stages = stages.end(StageName::Deploy, StageEnd::Success, Clock::now()).map_err(illegal)?;
        if self.ways.fetch_root.is_none() {
            return store.activate(sealed, lease, stages).await;
        }
        let log: Vec<String> = report.into_iter().map(|line| line.text).collect();
        store.activate_to_be_verified(sealed, lease, stages, Some(log.join("\n"))).await?;
        // Nobody shall wait for the site until we have looked at it.
        self.wake.edge();
        self.look(lease, &work, seen).await
    }

    /// Ships a deployment to the server of its app's target, where it has one, and says how it is seen there.
    async fn ship(&self, lease: &Lease, work: &Work) -> Result<Option<Verified>, RemoteError> {
        let (Some(target), Some((_, document))) = (&work.target, &work.content) else { return Ok(None) };
        let may_reach = self.ways.may_reach.as_ref();
        Remote { store: &self.store, lease, work, target, may_reach }.run(document).await.map(Some)
    }

    /// Looks at a deployment that is live, unless another server was asked about it, and ends its job.
    async fn look(&self, lease: &Lease, work: &Work, seen: Option<Verified>) -> Result<(), StoreError> {
        let seen = match (seen, &self.ways.fetch_root) {
            (Some(seen), _) => seen,
            (None, Some(fetch)) => verify(fetch, &work.deployment.project_name, &work.deployment.id).await,
            (None, None) => Verified::default(),
        };
        self.store.complete(lease, seen).await
    }

    /// Has the Functions started once, where there are any: what is to be said of them, and whether they may go live.
    async fn check_functions(&self, work: &Work) -> (Vec<LogLine>, bool) {
        let has_worker = work.content.as_ref().is_some_and(|(_, document)| document.worker.is_some());
        let (true, Some(functions)) = (has_worker, &self.functions) else { return (Vec::new(), true) };
        let Some(key) = key_of(&work.deployment) else { return (Vec::new(), true) };
        let (lines, is_good) = match functions.check(key).await {
            Ok(warnings) => (warnings.iter().map(|text| format!("Warning: {text}")).collect(), true),
            Err(CheckFailure::Refused(lines)) => (refusal(lines), false),
            // Nothing speaks against them: they are started again when they are asked for.
            Err(CheckFailure::Unchecked(why)) => {
                tracing::warn!(deployment.id = %work.deployment.id, why, "cannot check Functions");
                (vec![format!("Warning: the Functions could not be tried out: {why}")], true)
            }
        };
        // Functions may say what they know, and that is not for the log.
        let masker = Masker::new(secrets_of(&work.deployment));
        (lines.iter().map(|line| line_now(&masker.line(line))).collect(), is_good)
    }
}

fn key_of(deployment: &Deployment) -> Option<DeploymentKey> {
    let short = ShortId::parse(deployment.id.short())?;
    Some(DeploymentKey { project: deployment.project_name.clone(), deployment: short })
}

/// What is wrong, in full, and then once more in a line: the last one is all that wrangler shows (Pages API, "After the
/// deployment POST").
fn refusal(mut lines: Vec<String>) -> Vec<String> {
    let what = if lines.is_empty() { String::new() } else { lines.remove(0) };
    let first = lines.first().map_or("", |line| line.trim());
    let summary = format!("Error: {what} {first}").trim_end().to_owned();
    lines.push(summary);
    lines
}

fn secrets_of(deployment: &Deployment) -> impl Iterator<Item = &str> {
    deployment.config.env_vars.values().filter_map(|variable| match variable {
        EnvVar::Secret(secret) => Some(secret.expose().as_str()),
        EnvVar::Plain(_) => None,
    })
}

/// Ends a deployment that we failed to take live too often.
///
/// # Errors
/// As [`Deployer::run`].
pub(crate) async fn give_up(store: &Store, lease: &Lease) -> Result<(), StoreError> {
    let work = store.work(lease).await?;
    if work.deployment.stages.is_success() {
        let error = Some("The server could not look at the site.".to_owned());
        return store.complete(lease, Verified { error, ..Verified::default() }).await;
    }
    let line = "Error: the server could not finish this deployment; its operator finds the reason in the server's log.";
    store.append_log(lease, &[line_now(line)]).await?;
    // An upload is never built: its stages in the middle stay idle.
    let stages = match lease.kind() {
        JobKind::Upload => begin(work.deployment.stages),
        JobKind::Build => Ok(work.deployment.stages),
    };
    store.finish_failed(lease, stages.and_then(failed).map_err(illegal)?).await
}

/// Ends the wait and begins to deploy, from wherever an earlier attempt stopped.
fn begin(stages: Stages) -> Result<Stages, IllegalStep> {
    let now = Clock::now();
    let stages = match stages.get(StageName::Queued).status {
        StageStatus::Active => stages.end(StageName::Queued, StageEnd::Success, now)?,
        _ => stages,
    };
    match stages.get(StageName::Deploy).status {
        StageStatus::Active => Ok(stages),
        _ => stages.start(StageName::Deploy, now),
    }
}

/// What the author of the site should know of it.
fn report(work: &Work) -> Vec<LogLine> {
    let Some((_, document)) = &work.content else { return Vec::new() };
    let mut lines = vec![line_now(&format!("Deploying {} assets.", document.manifest.len()))];
    lines.extend(rules(document).iter().map(|text| line_now(text)));
    lines
}

fn rules(document: &SiteDocument) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(text) = &document.redirects {
        let parsed = redirects::parse(text);
        lines.push(counted("redirect", parsed.rules.len()));
        lines.extend(parsed.issues.iter().map(|issue| warning("_redirects", issue)));
    }
    if let Some(text) = &document.headers {
        let parsed = headers::parse(text);
        lines.push(counted("header", parsed.rules.len()));
        lines.extend(parsed.issues.iter().map(|issue| warning("_headers", issue)));
    }
    lines
}

fn warning(file: &str, issue: &RuleIssue) -> String {
    match issue.line_number {
        Some(number) => format!("Warning: {file}, line {number}: {}", issue.message),
        None => format!("Warning: {file}: {}", issue.message),
    }
}

fn counted(kind: &str, count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("Parsed {count} valid {kind} rule{plural}.")
}

fn line_now(text: &str) -> LogLine {
    LogLine { at: Clock::now(), text: text.to_owned() }
}
