//! The build of a version: its files take the place of the clone, and what comes of them waits for its first deploy.

use offprint_model::deploy::VersionStep;
use offprint_store::{Claim, NewContent, VersionLease, VersionWork};
use tokio_util::sync::CancellationToken;

use super::build::Built;
use super::subject::Subject;
use super::{Builds, Context, StageError, build, collect, initialize};
use crate::log_sink::LogSink;
use crate::workspace::WorkDirs;

/// Takes the build of a version to its end.
pub(super) async fn run(
    builds: &Builds,
    lease: &VersionLease,
    stop: &CancellationToken,
) -> Result<(), StageError> {
    let work = builds.store.version_work(lease).await?;
    let dirs = builds.make_dirs(lease.build_id()).await?;
    let outcome = run_in(builds, lease, &work, &dirs, stop).await;
    builds.remove_dirs(lease.build_id(), dirs).await;
    outcome
}

async fn run_in(
    builds: &Builds,
    lease: &VersionLease,
    work: &VersionWork,
    dirs: &WorkDirs,
    stop: &CancellationToken,
) -> Result<(), StageError> {
    let (store, subject) = (&builds.store, Subject::of_version(work));
    let claim = Claim::Version(lease.clone());
    let log = LogSink::start(store.clone(), claim, subject.masker(), stop.clone());
    let ctx = Context { builds, subject: &subject, dirs, log: &log, stop };
    match built(&ctx, lease, work).await {
        Ok(Ok((built, content))) => {
            // The lease ends with the build, and what was not written by then never will be.
            log.close().await?;
            store.complete_version(lease, content).await?;
            built.keep().await;
            Ok(())
        }
        Ok(Err(why)) => {
            let why = subject.masker().line(&why);
            log.say(format!("Error: {why}")).await;
            log.close().await?;
            Ok(store.fail_version(lease, &why).await?)
        }
        Err(error) => {
            log.interrupted().await;
            Err(error)
        }
    }
}

/// Everything up to the moment when the site's assets are stored. The inner error is the author's.
async fn built(
    ctx: &Context<'_>,
    lease: &VersionLease,
    work: &VersionWork,
) -> Result<Result<(Built, NewContent), String>, StageError> {
    enter(ctx, lease, VersionStep::Collect).await?;
    initialize::run(ctx, lease.attempt()).await;
    if let Err(why) = collect::run(ctx, &work.files).await? {
        return Ok(Err(why));
    }
    enter(ctx, lease, VersionStep::Build).await?;
    let mut built = match build::run(ctx, pages(work)).await? {
        Ok(built) => built,
        Err(why) => return Ok(Err(why)),
    };
    enter(ctx, lease, VersionStep::Store).await?;
    let content = ctx.store_site(&mut built, &work.scope).await?;
    Ok(content.map(|content| (built, content)))
}

async fn enter(ctx: &Context<'_>, lease: &VersionLease, step: VersionStep) -> Result<(), StageError> {
    ctx.builds.store.enter_version_step(lease, step).await?;
    ctx.log.enter(step).await;
    Ok(())
}

/// What a build finds in its environment about where it goes. There is no commit, and no deployment that would have a URL.
fn pages(work: &VersionWork) -> Vec<(String, String)> {
    vec![("CF_PAGES_BRANCH".to_owned(), work.project.production_branch.as_str().to_owned())]
}
