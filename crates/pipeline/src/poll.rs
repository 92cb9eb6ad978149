//! Looks for new commits in repositories whose forge cannot reach this server with a webhook.
//!
//! Each look lists the branches (`git ls-remote --heads`) and compares them with the last one. A branch that points
//! elsewhere has been pushed. The first look only remembers, but for a project that has never been deployed: there
//! the production branch is built. What was in a push cannot be told from its head alone: watch paths do not hold
//! builds back, and the commit's message is read once it was cloned.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use offprint_model::deployment::{Commit, Trigger};
use offprint_model::name::BranchName;
use offprint_model::push::{Changes, Push, Verdict, judge};
use offprint_model::time::Timestamp;
use offprint_store::{Clock, NewBuild, PolledProject, Store, StoreError, Wake};
use tokio_util::sync::CancellationToken;

use crate::builder::{Bind, BuildLimits, Exit, Step};
use crate::git::GitAccess;
use crate::ingest::blocking;
use crate::stages::BuildOptions;
use crate::stages::step::run_captured;
use crate::workspace::WorkDirs;

/// How long one look may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(60);
/// So many repositories are looked at side by side.
const LOOKS_AT_ONCE: usize = 4;
/// More branches than this are not looked at: a list that long is a mistake, or meant badly.
const BRANCHES_MAX: usize = 10_000;
/// How often the store is asked which repositories are due, at the least.
const TICK_MAX: Duration = Duration::from_secs(5);

/// What the branches of a repository point at.
pub(crate) type Heads = HashMap<BranchName, String>;

/// The worker.
pub struct Poller {
    store: Store,
    wake: Wake,
    builds: BuildOptions,
    interval: Duration,
}

impl Poller {
    /// A worker that has not begun. `interval`: the time between two looks at a repository.
    pub const fn new(store: Store, wake: Wake, builds: BuildOptions, interval: Duration) -> Self {
        Self { store, wake, builds, interval }
    }

    /// Works until it is stopped.
    pub async fn run(self, stop: CancellationToken) {
        let tick = self.interval.min(TICK_MAX);
        while !stop.is_cancelled() {
            match self.store.polled_projects(self.due_before()).await {
                Ok(due) => {
                    for some in due.chunks(LOOKS_AT_ONCE) {
                        let looks = some.iter().map(|project| self.look_at(project, &stop));
                        futures_util::future::join_all(looks).await;
                    }
                }
                Err(error) => tracing::error!(%error, "cannot read which repositories are polled"),
            }
            stop.run_until_cancelled(tokio::time::sleep(tick)).await;
        }
    }

    fn due_before(&self) -> Timestamp {
        let interval = i64::try_from(self.interval.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(Clock::now().as_micros().saturating_sub(interval))
    }

    async fn look_at(&self, polled: &PolledProject, stop: &CancellationToken) {
        let project = polled.scope.project_name();
        if stop.is_cancelled() {
            return;
        }
        let noted = match self.list_heads(polled, stop).await {
            Ok(heads) => self.note(polled, heads).await,
            Err(_) if stop.is_cancelled() => return,
            Err(why) => {
                tracing::warn!(project = %project, why, "cannot look for new commits");
                self.store.note_failed_poll(&polled.scope).await
            }
        };
        if let Err(error) = noted {
            tracing::error!(project = %project, %error, "cannot note what a repository's branches point at");
        }
    }

    /// What the branches point at, or why that cannot be told, for the operator.
    async fn list_heads(&self, polled: &PolledProject, stop: &CancellationToken) -> Result<Heads, String> {
        let Some(source) = polled.project.source.clone() else { return Ok(Heads::new()) };
        let root = self.builds.work_dir.join(format!("poll-{}", polled.scope.project_id()));
        let (credentials, local) = (polled.credentials.clone(), self.builds.local_repositories.clone());
        let proxy = self.builds.builder.ssh_proxy();
        let prepared = blocking(move || {
            let dirs = WorkDirs::make(root).map_err(|error| error.to_string())?;
            let (home, proxy) = (dirs.clone_home(), proxy.as_deref());
            let access = GitAccess::prepare(&home, &source, &credentials, local.as_deref(), proxy);
            Ok::<_, String>((dirs, access.map_err(|error| error.to_string())?))
        });
        let (dirs, access) = prepared.await?;
        let ran = run_captured(&self.builds.builder, self.step(&dirs, access), stop.clone()).await;
        if let Err(error) = blocking(move || dirs.remove()).await {
            tracing::warn!(%error, "cannot remove the directories of a look for new commits");
        }
        match ran.map_err(|error| error.to_string())? {
            (Exit::Code(0), lines) => read_heads(&lines),
            (exit, lines) => {
                Err(format!("git ended with {exit:?}: {}", lines.last().map_or("", |l| l.as_str())))
            }
        }
    }

    fn step(&self, dirs: &WorkDirs, access: GitAccess) -> Step {
        let bind = |path: PathBuf| Bind { inside: path.clone(), host: path, writable: false };
        let argv = ["git", "ls-remote", "--heads", "--", &access.url].map(str::to_owned).to_vec();
        Step {
            argv,
            env: access.env,
            workspace: dirs.workspace(),
            workdir: PathBuf::new(),
            home: dirs.clone_home(),
            network: access.local.is_none(),
            binds: access.local.map(bind).into_iter().collect(),
            limits: BuildLimits { time: LOOK_TIMEOUT, ..self.builds.limits },
        }
    }

    /// Makes the builds, then remembers: a crash in between builds a commit twice rather than never.
    async fn note(&self, polled: &PolledProject, heads: Heads) -> Result<(), StoreError> {
        let known = self.store.heads(&polled.scope).await?;
        let never_deployed = polled.project.latest.is_none();
        let production = &polled.project.production_branch;
        for branch in pushed(known.as_ref(), &heads, never_deployed.then_some(production)) {
            self.build(polled, branch, &heads[branch]).await?;
        }
        self.store.note_heads(&polled.scope, &heads).await
    }

    async fn build(
        &self,
        polled: &PolledProject,
        branch: &BranchName,
        commit: &str,
    ) -> Result<(), StoreError> {
        let Some(source) = &polled.project.source else { return Ok(()) };
        let commit = Commit { hash: commit.to_owned(), ..Commit::default() };
        let push = Push {
            branch: branch.clone(),
            commit: commit.clone(),
            changes: Changes { files: None, commits: 1 },
        };
        let skip = match judge(&polled.project, source, &push) {
            Verdict::Build => None,
            Verdict::Skip(reason) => Some(reason),
        };
        let build = NewBuild {
            environment: polled.project.environment_of(branch),
            branch: branch.clone(),
            commit,
            trigger: Trigger::GitPush,
            skip,
            untrusted: false,
            pull_request: None,
        };
        let made = self.store.create_build(&polled.scope, build, None).await?;
        tracing::info!(deployment.id = %made.id, branch = %branch, "a new commit was found");
        self.wake.pipeline();
        self.wake.feedback();
        Ok(())
    }
}

/// The branches to build, in the order of their names, so that two looks agree. `first`: the branch that is built
/// although nobody has looked before.
fn pushed<'a>(known: Option<&Heads>, heads: &'a Heads, first: Option<&BranchName>) -> Vec<&'a BranchName> {
    let is_new = |branch: &&BranchName| match known {
        Some(known) => known.get(*branch) != heads.get(*branch),
        None => Some(*branch) == first,
    };
    let mut branches: Vec<_> = heads.keys().filter(is_new).collect();
    branches.sort();
    branches
}

/// Reads the lines of `git ls-remote --heads`: a hash, a tab, `refs/heads/` and the name. Other lines are remarks.
fn read_heads(lines: &[String]) -> Result<Heads, String> {
    let mut heads = Heads::new();
    for line in lines {
        let Some((hash, name)) = line.trim_end().split_once('\t') else { continue };
        let Some(name) = name.strip_prefix("refs/heads/") else { continue };
        let is_hash = matches!(hash.len(), 40 | 64) && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        // A name that we cannot keep belongs to a branch that cannot be deployed.
        if let (true, Ok(branch)) = (is_hash, BranchName::parse(name)) {
            heads.insert(branch, hash.to_ascii_lowercase());
        }
        if heads.len() > BRANCHES_MAX {
            return Err(format!("the repository has more than {BRANCHES_MAX} branches"));
        }
    }
    Ok(heads)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn heads(of: &[(&str, &str)]) -> Heads {
        of.iter().map(|(name, hash)| (branch(name), (*hash).to_owned())).collect()
    }

    fn branch(name: &str) -> BranchName {
        BranchName::parse(name).unwrap()
    }

    #[test]
    fn only_lines_of_branches_are_read() {
        let lines = [
            "Warning: Permanently added 'git.example' to the list of known hosts.".to_owned(),
            format!("{A}\trefs/heads/main"),
            format!("{B}\trefs/heads/feature/x\n"),
            format!("{B}\trefs/tags/v1"),
            "beef\trefs/heads/short".to_owned(),
            "\trefs/heads/".to_owned(),
        ];
        assert_eq!(read_heads(&lines).unwrap(), heads(&[("main", A), ("feature/x", B)]));
        assert_eq!(read_heads(&[]).unwrap(), Heads::new());
    }

    #[test]
    fn what_moved_or_is_new_was_pushed() {
        let now = heads(&[("main", B), ("same", A), ("new", A)]);
        let before = heads(&[("main", A), ("same", A), ("gone", A)]);
        assert_eq!(pushed(Some(&before), &now, Some(&branch("same"))), [&branch("main"), &branch("new")]);
        assert!(pushed(Some(&now), &now, None).is_empty());
    }

    #[test]
    fn the_first_look_builds_production_where_nothing_was_deployed() {
        let now = heads(&[("main", A), ("other", B)]);
        assert_eq!(pushed(None, &now, Some(&branch("main"))), [&branch("main")]);
        assert!(pushed(None, &now, Some(&branch("trunk"))).is_empty());
        assert!(pushed(None, &now, None).is_empty());
    }
}
