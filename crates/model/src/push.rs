//! Pushes, and whether they deploy: branch control, build watch paths and skip markers.
//!
//! The rules are those of Cloudflare Pages, in this order: the commit's message, the switches for deployments,
//! the branch, the changed paths.

use crate::config::Environment;
use crate::deployment::{Commit, SkipReason};
use crate::name::BranchName;
use crate::project::Project;
use crate::source::{PreviewSetting, Source};

/// Somebody pushed commits to a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The branch.
    pub branch: BranchName,
    /// The commit to which it points now.
    pub commit: Commit,
    /// What changed.
    pub changes: Changes,
}

/// What a push changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The paths of the files that were added, changed or removed, relative to the repository's root. `None`: too
    /// many, or nobody says.
    pub files: Option<Vec<String>>,
    /// How many commits.
    pub commits: usize,
}

/// What becomes of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is built.
    Build,
    /// It is recorded, and not built.
    Skip(SkipReason),
}

/// From so many changed files on, the paths are not looked at.
pub const FILES_BYPASS: usize = 3000;
/// From so many commits on, the paths are not looked at.
pub const COMMITS_BYPASS: usize = 20;

const SKIP_MARKERS: [&str; 5] = ["[ci skip]", "[ci-skip]", "[skip ci]", "[skip-ci]", "[cf-pages-skip]"];

/// Whether a push to the project's repository is built.
pub fn judge(project: &Project, source: &Source, push: &Push) -> Verdict {
    let environment = project.environment_of(&push.branch);
    let skipped = if has_skip_marker(&push.commit.message) {
        Some(SkipReason::CommitMessage)
    } else if !deploys(source, environment) {
        Some(match environment {
            Environment::Production => SkipReason::ProductionDeploymentsDisabled,
            Environment::Preview => SkipReason::PreviewDeploymentsDisabled,
        })
    } else if environment == Environment::Preview && !is_wanted_branch(source, push.branch.as_str()) {
        Some(SkipReason::BranchConfig)
    } else if !touches_watched_paths(source, &push.changes) {
        Some(SkipReason::PathConfig)
    } else {
        None
    };
    skipped.map_or(Verdict::Build, Verdict::Skip)
}

/// Whether a commit's message begins with one of the words that ask for no build, in any letter case.
pub fn has_skip_marker(message: &str) -> bool {
    let begins = |marker: &str| message.get(..marker.len()).is_some_and(|m| m.eq_ignore_ascii_case(marker));
    SKIP_MARKERS.iter().any(|marker| begins(marker))
}

/// Whether a text matches a pattern of a project's settings. A `*` stands for any characters, `/` included and
/// also none, where it is the pattern's first or last character. Elsewhere it stands for itself.
pub fn wildcard(pattern: &str, text: &str) -> bool {
    let (open_start, rest) = pattern.strip_prefix('*').map_or((false, pattern), |rest| (true, rest));
    let (open_end, middle) = rest.strip_suffix('*').map_or((false, rest), |middle| (true, middle));
    match (open_start, open_end) {
        // A lone star is its pattern's first and last character at once.
        (true, _) if rest.is_empty() => true,
        (true, true) => text.contains(middle),
        (true, false) => text.ends_with(middle),
        (false, true) => text.starts_with(middle),
        (false, false) => text == middle,
    }
}

fn any_matches(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| wildcard(pattern, text))
}

fn deploys(source: &Source, environment: Environment) -> bool {
    source.deployments_enabled
        && match environment {
            Environment::Production => source.production_deployments_enabled,
            Environment::Preview => source.preview_deployment_setting != PreviewSetting::None,
        }
}

/// Excludes come first, then includes; what neither names is not wanted.
fn is_wanted_branch(source: &Source, branch: &str) -> bool {
    source.preview_deployment_setting != PreviewSetting::Custom
        || !any_matches(&source.preview_branch_excludes, branch)
            && any_matches(&source.preview_branch_includes, branch)
}

/// Whether one changed path is watched. A push without changed files, or with very many, always counts.
fn touches_watched_paths(source: &Source, changes: &Changes) -> bool {
    let Some(files) = &changes.files else { return true };
    if files.is_empty() || files.len() >= FILES_BYPASS || changes.commits >= COMMITS_BYPASS {
        return true;
    }
    files
        .iter()
        .any(|file| !any_matches(&source.path_excludes, file) && any_matches(&source.path_includes, file))
}

#[cfg(test)]
mod tests;
