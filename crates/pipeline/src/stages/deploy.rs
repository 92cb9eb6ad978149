//! The deploy stage: compile the rules, seal, activate. The same for uploads, builds and retries.

use offprint_model::deployment::LogLine;
use offprint_model::rules::{RuleIssue, headers, redirects};
use offprint_model::stages::{IllegalStep, StageEnd, StageName, StageStatus, Stages};
use offprint_store::{Clock, JobKind, Lease, SiteDocument, Store, StoreError, Verified, Wake, Work};

use super::remote::{Remote, RemoteError};
use super::{failed, illegal};
use crate::verify::{Ways, verify};

/// Takes a queued deployment live.
///
/// # Errors
/// A fault of ours, or the lease was lost. The stages then stand where they stood, and a later attempt
/// resumes from there.
pub(crate) async fn run(store: &Store, wake: &Wake, lease: &Lease, ways: &Ways) -> Result<(), StoreError> {
    let work = store.work(lease).await?;
    if work.deployment.stages.is_success() {
        // An earlier attempt has taken it live.
        return look(store, lease, &work, ways, None).await;
    }
    let stages = begin(work.deployment.stages).map_err(illegal)?;
    store.set_stages(lease, stages).await?;
    let report = report(&work);
    store.append_log(lease, &report).await?;
    let sealed = store.seal(lease).await?;
    let mut seen = None;
    if let (Some(target), Some((_, document))) = (&work.target, &work.content) {
        let remote = Remote { store, lease, work: &work, target, may_reach: ways.may_reach.as_ref() };
        match remote.run(document).await {
            Ok(verified) => seen = Some(verified),
            Err(RemoteError::Store(error)) => return Err(error),
            Err(RemoteError::Refused(why)) => {
                store.append_log(lease, &[line_now(&format!("Error: {why}"))]).await?;
                return store.finish_failed(lease, failed(stages).map_err(illegal)?).await;
            }
        }
    }
    let stages = stages.end(StageName::Deploy, StageEnd::Success, Clock::now()).map_err(illegal)?;
    if ways.fetch_root.is_none() {
        return store.activate(sealed, lease, stages).await;
    }
    let log: Vec<String> = report.into_iter().map(|line| line.text).collect();
    store.activate_to_be_verified(sealed, lease, stages, Some(log.join("\n"))).await?;
    // Nobody shall wait for the site until we have looked at it.
    wake.edge();
    look(store, lease, &work, ways, seen).await
}

/// Looks at a deployment that is live, unless another server was asked about it, and ends its job.
async fn look(
    store: &Store,
    lease: &Lease,
    work: &Work,
    ways: &Ways,
    seen: Option<Verified>,
) -> Result<(), StoreError> {
    let seen = match (seen, &ways.fetch_root) {
        (Some(seen), _) => seen,
        (None, Some(fetch)) => verify(fetch, &work.deployment.project_name, &work.deployment.id).await,
        (None, None) => Verified::default(),
    };
    store.complete(lease, seen).await
}

/// Ends a deployment that we failed to take live too often.
///
/// # Errors
/// As [`run`].
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
    if document.worker.is_some() {
        lines.push(line_now(
            "Warning: this deployment has a Worker, and this server does not run Functions yet. Requests \
             that are routed to it are answered with status 501; assets are served.",
        ));
    }
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
