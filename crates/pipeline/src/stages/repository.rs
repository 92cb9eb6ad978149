//! The build of a commit: from a queued deployment to one that is live.

use offprint_model::stages::StageName;
use offprint_store::{Claim, Lease, Work};
use tokio_util::sync::CancellationToken;

use super::build::Built;
use super::progress::{Progress, failed, illegal};
use super::subject::Subject;
use super::{Builds, Context, Outcome, StageError, build, clone_repo, initialize};
use crate::log_sink::LogSink;
use crate::workspace::WorkDirs;

/// Takes a deployment to its end.
pub(super) async fn run(builds: &Builds, lease: &Lease, stop: &CancellationToken) -> Result<(), StageError> {
    let work = builds.store.work(lease).await?;
    if work.content.is_some() {
        // An earlier attempt has built it.
        return Ok(builds.deployer.run(lease).await?);
    }
    let id = lease.deployment_id().as_str();
    let dirs = builds.make_dirs(id).await?;
    let outcome = run_in(builds, lease, &work, &dirs, stop).await;
    builds.remove_dirs(id, dirs).await;
    outcome
}

async fn run_in(
    builds: &Builds,
    lease: &Lease,
    work: &Work,
    dirs: &WorkDirs,
    stop: &CancellationToken,
) -> Result<(), StageError> {
    let (store, subject) = (&builds.store, Subject::of_repository(work));
    let claim = Claim::Deployment(lease.clone());
    let log = LogSink::start(store.clone(), claim, subject.masker(), stop.clone());
    let ctx = Context { builds, subject: &subject, dirs, log: &log, stop };
    let mut progress = Progress { store, lease, stages: work.deployment.stages };
    match built(&ctx, lease, work, &mut progress).await {
        Ok(Outcome::Done(built)) => {
            log.close().await?;
            builds.deployer.run(lease).await?;
            // Nobody shall wait for the site until we have tidied up.
            builds.wake.edge();
            built.keep().await;
            Ok(())
        }
        Ok(Outcome::Failed(why)) => {
            log.say(format!("Error: {why}")).await;
            log.close().await?;
            let stages = failed(progress.stages).map_err(illegal)?;
            Ok(store.finish_failed(lease, stages).await?)
        }
        Ok(Outcome::Skipped(reason)) => {
            log.say("The commit message asks for no deployment: nothing is built.").await;
            log.close().await?;
            Ok(store.skip_deployment(lease, reason).await?)
        }
        Err(error) => {
            log.interrupted().await;
            Err(error)
        }
    }
}

/// Everything up to the moment when the site is the deployment's content.
async fn built(
    ctx: &Context<'_>,
    lease: &Lease,
    work: &Work,
    progress: &mut Progress<'_>,
) -> Result<Outcome<Built>, StageError> {
    progress.enter(StageName::Initialize).await?;
    initialize::run(ctx, lease.attempt()).await;
    progress.enter(StageName::CloneRepo).await?;
    let commit = match clone_repo::run(ctx, lease, work).await? {
        Outcome::Done(commit) => commit,
        Outcome::Failed(why) => return Ok(Outcome::Failed(why)),
        Outcome::Skipped(reason) => return Ok(Outcome::Skipped(reason)),
    };
    progress.enter(StageName::Build).await?;
    let mut built = match build::run(ctx, pages(ctx, work, commit.hash)).await? {
        Ok(built) => built,
        Err(why) => return Ok(Outcome::Failed(why)),
    };
    progress.enter(StageName::Deploy).await?;
    let store = &ctx.builds.store;
    let scope = store.project_scope(lease).await?;
    let content = match ctx.store_site(&mut built, &scope).await? {
        Ok(content) => content,
        Err(why) => return Ok(Outcome::Failed(why)),
    };
    store.attach_content(lease, content).await?;
    Ok(Outcome::Done(built))
}

/// What a build finds in its environment about the commit and the deployment (Pages API, "Build environment").
fn pages(ctx: &Context<'_>, work: &Work, commit: String) -> Vec<(String, String)> {
    let deployment = &work.deployment;
    let url = (ctx.options().url_of)(&deployment.project_name, &deployment.id);
    vec![
        ("CF_PAGES_COMMIT_SHA".to_owned(), commit),
        ("CF_PAGES_BRANCH".to_owned(), deployment.branch.as_str().to_owned()),
        ("CF_PAGES_URL".to_owned(), url),
    ]
}
