//! The second stage: fetches the one commit that is built.
//!
//! Most servers give out a commit by its hash; where one does not, the branch is fetched and the commit looked for
//! there. All of it is one shell script in one step, since starting a sandbox takes longer than most of its lines.
//!
//! A stranger's commit says itself which submodules it has, and could name repositories that only our credentials
//! can read: they are fetched without any.

use std::path::PathBuf;

use offprint_model::deployment::{Commit, Deployment, SkipReason, Trigger};
use offprint_model::project::{Source, SourceKind};
use offprint_model::push::has_skip_marker;
use offprint_store::{Lease, Work};

use super::step::run_logged;
use super::{Context, Outcome, StageError};
use crate::builder::{Bind, BuildLimits, Exit, Limit, Step};
use crate::files::Files;
use crate::git::{GitAccess, GitError};
use crate::ingest::blocking;
use crate::workspace::Folder;

/// Where the script leaves the commit's message.
const MESSAGE_FILE: &str = ".git/offprint-message";
const MESSAGE_BYTES_MAX: u64 = 64 << 10;
const HEAD_BYTES_MAX: u64 = 256;

// How the script says where it failed.
const INIT: i32 = 91;
const FETCH: i32 = 92;
const COMMIT: i32 = 93;
const CHECKOUT: i32 = 94;
const NO_LFS: i32 = 95;
const SUBMODULES: i32 = 96;

const SCRIPT: &str = r#"
git init --quiet . && git remote add origin "$OFFPRINT_GIT_URL" || exit 91
if test "$OFFPRINT_GIT_LFS" = 1; then git lfs version >/dev/null 2>&1 || exit 95; fi
fetch() { git fetch --quiet --no-tags --no-recurse-submodules "$@"; }
want="$OFFPRINT_GIT_COMMIT"
if test -z "$want"; then
  fetch --depth 1 origin "+$OFFPRINT_GIT_REF" || exit 92
  want=$(git rev-parse --verify FETCH_HEAD) || exit 92
elif ! fetch --depth 1 origin "$want" 2>/dev/null; then
  fetch --depth 1 origin "+$OFFPRINT_GIT_REF" || exit 92
  if ! git cat-file -e "$want^{commit}" 2>/dev/null; then
    fetch --unshallow origin "+$OFFPRINT_GIT_REF" || exit 92
    git cat-file -e "$want^{commit}" 2>/dev/null || exit 93
  fi
fi
git checkout --quiet --detach "$want" || exit 94
if test "$OFFPRINT_GIT_SUBMODULES" = 1; then
  if test "$OFFPRINT_GIT_STRANGER" = 1; then unset OFFPRINT_GIT_TOKEN GIT_SSH_COMMAND; fi
  git submodule --quiet update --init --recursive --depth 1 || git submodule --quiet update --init --recursive || exit 96
fi
git log -1 --format=%B >.git/offprint-message || exit 94
"#;

/// Clones the repository into the workspace and returns the commit that is built.
pub(super) async fn run(
    ctx: &Context<'_>,
    lease: &Lease,
    work: &Work,
) -> Result<Outcome<Commit>, StageError> {
    let deployment = &work.deployment;
    let Some(source) = &deployment.source else {
        return Ok(Outcome::Failed("The project has no repository.".into()));
    };
    let reference = match reference(source, deployment.branch.as_str(), work.pull_request) {
        Ok(reference) => reference,
        Err(why) => return Ok(Outcome::Failed(why)),
    };
    let access = match access(ctx, work, source).await? {
        Ok(access) => access,
        Err(why) => return Ok(Outcome::Failed(why)),
    };
    if let Some(warning) = access.warning {
        ctx.log.say(warning).await;
    }
    ctx.log.say(begin_line(&access.url, deployment.branch.as_str(), &deployment.commit.hash)).await;
    let exit = run_logged(ctx, step(ctx, work, source, access, reference)).await;
    let dirs = ctx.dirs.clone();
    blocking(move || dirs.forget_credentials()).await.map_err(StageError::io("remove git's home"))?;
    if let Err(why) = judge(ctx, &work.deployment, exit?)? {
        return Ok(Outcome::Failed(why));
    }
    noted(ctx, lease, work).await
}

/// What is fetched where a commit cannot be.
fn reference(source: &Source, branch: &str, pull_request: Option<u64>) -> Result<String, String> {
    if let Some(number) = pull_request {
        let place = if source.kind == SourceKind::Gitlab { "merge-requests" } else { "pull" };
        return Ok(format!("refs/{place}/{number}/head"));
    }
    // Characters that git allows in no name of a branch, and that mean something where we name it.
    let bad = |char: char| char.is_ascii_control() || " ~^:?*[\\".contains(char);
    if branch.contains(bad) || branch.contains("..") || branch.contains("@{") {
        return Err(format!("'{branch}' cannot be the name of a branch in git."));
    }
    Ok(format!("refs/heads/{branch}"))
}

async fn access(
    ctx: &Context<'_>,
    work: &Work,
    source: &Source,
) -> Result<Result<GitAccess, String>, StageError> {
    let (home, source) = (ctx.dirs.clone_home(), source.clone());
    let credentials = work.credentials.clone().unwrap_or_default();
    let local = ctx.options().local_repositories.clone();
    let proxy = ctx.options().builder.ssh_proxy();
    let prepare =
        move || GitAccess::prepare(&home, &source, &credentials, local.as_deref(), proxy.as_deref());
    match blocking(prepare).await {
        Ok(mut access) => {
            if work.untrusted && access.local.is_some() {
                access.local = Some(PathBuf::from(&access.url));
            }
            Ok(Ok(access))
        }
        Err(GitError::Author(why)) => Ok(Err(why)),
        Err(GitError::Io(error)) => Err(StageError::io("make a home for git")(error)),
    }
}

fn begin_line(url: &str, branch: &str, hash: &str) -> String {
    match hash {
        "" => format!("Cloning the head of {branch} from {url}."),
        hash => format!("Cloning {hash} ({branch}) from {url}."),
    }
}

fn step(ctx: &Context<'_>, work: &Work, source: &Source, access: GitAccess, reference: String) -> Step {
    let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
    let mut env = access.env;
    env.extend([
        ("OFFPRINT_GIT_URL".to_owned(), access.url),
        ("OFFPRINT_GIT_REF".to_owned(), reference),
        ("OFFPRINT_GIT_COMMIT".to_owned(), work.deployment.commit.hash.clone()),
        ("OFFPRINT_GIT_SUBMODULES".to_owned(), flag(source.submodules)),
        ("OFFPRINT_GIT_LFS".to_owned(), flag(source.lfs)),
        ("OFFPRINT_GIT_STRANGER".to_owned(), flag(work.untrusted)),
    ]);
    let network = access.local.is_none() || source.submodules || source.lfs;
    let bind = |path: PathBuf| Bind { inside: path.clone(), host: path, writable: false };
    Step {
        argv: ["sh", "-c", SCRIPT].map(str::to_owned).to_vec(),
        env,
        workspace: ctx.dirs.workspace(),
        workdir: PathBuf::new(),
        home: ctx.dirs.clone_home(),
        binds: access.local.map(bind).into_iter().collect(),
        network,
        limits: BuildLimits { time: ctx.options().clone_timeout, ..ctx.options().limits },
    }
}

/// What went wrong, in words for the author.
fn judge(ctx: &Context<'_>, deployment: &Deployment, exit: Exit) -> Result<Result<(), String>, StageError> {
    let why = match exit {
        Exit::Code(0) => return Ok(Ok(())),
        Exit::Canceled => return Err(StageError::Stopped),
        Exit::Limit(Limit::Time) => format!(
            "The repository was not cloned within {} s. Is its server slow, or the repository very large?",
            ctx.options().clone_timeout.as_secs()
        ),
        Exit::Limit(limit) => {
            format!("The repository was not cloned. {}", ctx.options().limits.describe(limit))
        }
        Exit::Code(INIT) => "git could not begin a repository; its message is above.".to_owned(),
        Exit::Code(FETCH) => format!(
            "The branch {} could not be fetched; git's message is above. Check that the branch still exists, that \
             the clone URL is right, and that the project has a token or key which may read the repository.",
            deployment.branch
        ),
        Exit::Code(COMMIT) => format!(
            "The commit {} is not in the branch {} any more. Was it removed by a forced push? Push again, or deploy \
             the head of the branch.",
            deployment.commit.hash, deployment.branch
        ),
        Exit::Code(CHECKOUT) => "The commit could not be checked out; git's message is above.".to_owned(),
        Exit::Code(NO_LFS) => {
            "The project wants its large files (LFS), and this server has no git-lfs. Ask its operator to install \
             it, or switch lfs off."
                .to_owned()
        }
        Exit::Code(SUBMODULES) => "The submodules could not be fetched; git's message is above. The token or key of \
             the project is only good for the repository's own server."
            .to_owned(),
        Exit::Code(127) => "This server has no git. Ask its operator to install it.".to_owned(),
        Exit::Code(code) => format!("Cloning the repository ended with exit code {code}."),
        Exit::Signal(signal) => format!("Cloning the repository was ended by the signal {signal}."),
    };
    Ok(Err(why))
}

/// Notes the commit that was cloned, and looks whether its message asks for no deployment where nobody could look
/// before.
async fn noted(ctx: &Context<'_>, lease: &Lease, work: &Work) -> Result<Outcome<Commit>, StageError> {
    let workspace = ctx.dirs.workspace();
    let read = move || {
        let folder = Folder::open(&workspace, "").ok()?;
        let hash = folder.text(".git/HEAD", HEAD_BYTES_MAX)?.trim().to_owned();
        Some((hash, folder.text(MESSAGE_FILE, MESSAGE_BYTES_MAX).unwrap_or_default()))
    };
    let Some((hash, message)) = blocking(read).await else {
        return Ok(Outcome::Failed("git has left no commit; its message is above.".into()));
    };
    let known = &work.deployment.commit;
    let cloned = Commit { hash, message: message.trim_end().to_owned(), dirty: false };
    if known.message.is_empty() || known.hash.is_empty() {
        ctx.builds.store.set_commit(lease, cloned.clone()).await?;
    }
    let first_line = cloned.message.lines().next().unwrap_or_default().to_owned();
    ctx.log.say(format!("Cloned {}: {first_line}", cloned.hash)).await;
    // Who asks for a build by hand, or by a hook, wants it whatever the message says.
    let pushed = !matches!(work.deployment.trigger, Trigger::AdHoc | Trigger::DeployHook);
    if pushed && known.message.is_empty() && has_skip_marker(&cloned.message) {
        return Ok(Outcome::Skipped(SkipReason::CommitMessage));
    }
    Ok(Outcome::Done(cloned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_ends_with_the_codes_that_are_explained() {
        for code in [INIT, FETCH, COMMIT, CHECKOUT, NO_LFS, SUBMODULES] {
            assert!(SCRIPT.contains(&format!("exit {code}")), "{code}");
        }
        assert!(SCRIPT.contains(MESSAGE_FILE));
    }
}
