//! What git knows about the working directory.
//!
//! Asked of the `git` command, as wrangler does: no git, no repository or no commit yet are no errors, the
//! deployment is then made without these fields.

use std::process::{Command, Stdio};

use offprint_client::deploy::CommitInfo;

/// Where a folder was built.
#[derive(Debug, Default)]
pub(crate) struct WorkTree {
    /// The branch; `HEAD` when none is checked out.
    pub branch: Option<String>,
    /// The commit.
    pub commit: CommitInfo,
}

/// Fills in what the flags left open.
pub(crate) fn complete(mut given: WorkTree) -> WorkTree {
    let WorkTree { branch, commit } = &given;
    let open =
        branch.is_none() || commit.hash.is_none() || commit.message.is_none() || commit.dirty.is_none();
    if !open || git(&["rev-parse", "--is-inside-work-tree"]).as_deref().map(str::trim_end) != Some("true") {
        return given;
    }
    given.branch = given.branch.or_else(|| one_line(git(&["rev-parse", "--abbrev-ref", "HEAD"])));
    if given.commit.hash.is_none() || given.commit.message.is_none() {
        let text = git(&["log", "-1", "--no-show-signature", "--format=%H%n%B"]).unwrap_or_default();
        if let Some((hash, message)) = text.split_once('\n') {
            given.commit.hash.get_or_insert_with(|| hash.to_owned());
            given.commit.message.get_or_insert_with(|| message.trim_end().to_owned());
        }
    }
    if given.commit.dirty.is_none() {
        given.commit.dirty = git(&["status", "--porcelain"]).map(|status| !status.is_empty());
    }
    given
}

fn one_line(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim_end().to_owned()).filter(|text| !text.is_empty())
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        // Looking must not take the index lock from somebody who is committing.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
