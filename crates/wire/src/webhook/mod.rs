//! What forges tell by webhook: pushes and pull requests.
//!
//! Shapes are those of the forges' public documentation. Who calls is not decided here: the signature has been
//! checked before a payload is read.

mod answer;
mod forgejo;
mod github;
mod gitlab;
mod pruned;

pub use answer::Answer;

use std::borrow::Cow;

use offprint_model::deployment::Commit;
use offprint_model::name::BranchName;
use offprint_model::push::{Changes, FILES_BYPASS, Push};

use crate::json::{InvalidMember, Node, Object, Read};

/// A way to speak. Gitea and its descendant Forgejo speak alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// GitHub's.
    Github,
    /// GitLab's.
    Gitlab,
    /// Forgejo's and Gitea's.
    Forgejo,
}

/// What a webhook says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Of which repository; absent in some events that ask for nothing.
    pub repository: Option<Repository>,
    /// What happened there.
    pub event: Event,
}

/// A repository, as its forge names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its number at the forge, as text.
    pub id: String,
    /// Owner and name, with a slash between.
    pub full_name: String,
    /// The URLs from which it is cloned.
    pub clone_urls: Vec<String>,
}

/// Something that happened in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Commits came to a branch.
    Push(Push),
    /// A pull request is in a new state.
    PullRequest(PullRequest),
    /// Nothing that concerns deployments; says what, for people.
    Other(Cow<'static, str>),
}

/// A pull request. GitLab calls it a merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number in the repository.
    pub number: u64,
    /// The branch that is to be merged, by its name in the repository that it is in.
    pub branch: BranchName,
    /// The commit at its head.
    pub commit: Commit,
    /// Whether it comes from another repository.
    pub fork: bool,
    /// Whether it is neither merged nor closed.
    pub open: bool,
    /// Its title, cut to 255 characters.
    pub title: String,
}

const TITLE_CHARS_MAX: usize = 255;
/// A longer message is cut: the first line is for people, and the skip markers are at the start.
const MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// Reads a payload. `event` is the value of the header that names the event.
///
/// # Errors
/// The member that breaks a rule.
pub fn read(dialect: Dialect, event: &str, body: &[u8]) -> Read<Webhook> {
    let value = pruned::parse(body)?;
    let payload = Node::root(&value).object()?;
    let (repository, event) = match dialect {
        Dialect::Github => (payload.optional("repository", repository)?, github::event(&payload, event)?),
        Dialect::Gitlab => (payload.optional("project", gitlab::project)?, gitlab::event(&payload, event)?),
        Dialect::Forgejo => (payload.optional("repository", repository)?, forgejo::event(&payload, event)?),
    };
    Ok(Webhook { repository, event })
}

/// `repository` of GitHub, Forgejo and Gitea.
fn repository(node: &Node<'_>) -> Read<Repository> {
    let object = node.object()?;
    Ok(Repository {
        id: object.optional("id", number)?.map_or_else(String::new, |id| id.to_string()),
        full_name: object.required("full_name", Node::text)?,
        clone_urls: texts(&object, ["clone_url", "ssh_url"])?,
    })
}

fn texts<const N: usize>(object: &Object<'_>, members: [&str; N]) -> Read<Vec<String>> {
    let found: Read<Vec<_>> = members.into_iter().map(|name| object.optional(name, Node::text)).collect();
    Ok(found?.into_iter().flatten().collect())
}

/// What a push is about.
enum Ref {
    /// A branch, and the commit to which it points now.
    Branch(BranchName, String),
    /// Nothing to deploy.
    Other(&'static str),
}

/// `ref` and `after` of a push, which all forges have. A deletion has a commit of zeros.
fn pushed_ref(payload: &Object<'_>) -> Read<Ref> {
    let name = payload.required("ref", Node::str)?;
    let after = payload.required("after", hash)?;
    let deleted = payload.optional("deleted", Node::boolean)?.unwrap_or(false);
    let Some(branch) = name.strip_prefix("refs/heads/") else {
        return Ok(Ref::Other(if name.starts_with("refs/tags/") {
            "a tag does not deploy"
        } else {
            "only branches deploy"
        }));
    };
    if deleted || after.bytes().all(|b| b == b'0') {
        return Ok(Ref::Other("the branch was deleted"));
    }
    let branch = BranchName::parse(branch)
        .map_err(|rule| InvalidMember::new("ref", format!("is not valid: {rule}")))?;
    Ok(Ref::Branch(branch, after))
}

/// A push, as all forges tell it. `total` is how many commits it has, where `commits` may hold fewer.
fn push(payload: &Object<'_>, total: Option<u64>) -> Read<Event> {
    let (branch, hash) = match pushed_ref(payload)? {
        Ref::Branch(branch, hash) => (branch, hash),
        Ref::Other(what) => return Ok(Event::Other(Cow::Borrowed(what))),
    };
    let commits = payload.optional("commits", |commits| {
        commits.elements()?.map(|commit| commit.object()).collect::<Read<Vec<_>>>()
    })?;
    let commits = commits.unwrap_or_default();
    let head = payload.optional("head_commit", Node::object)?;
    let mut message = String::new();
    for commit in head.iter().chain(&commits) {
        if commit.optional("id", Node::str)? == Some(&hash) {
            message = commit.optional("message", message_of)?.unwrap_or_default();
            break;
        }
    }
    let total = total.and_then(|total| usize::try_from(total).ok()).unwrap_or(0).max(commits.len());
    let files = if total > commits.len() { None } else { changed_files(&commits)? };
    let commit = Commit { hash, message, dirty: false };
    Ok(Event::Push(Push { branch, commit, changes: Changes { files, commits: total } }))
}

/// The paths in `added`, `modified` and `removed`. Some servers write `null` for an empty list; a commit with none
/// of the three does not say.
fn changed_files(commits: &[Object<'_>]) -> Read<Option<Vec<String>>> {
    const LISTS: [&str; 3] = ["added", "modified", "removed"];
    let mut files: Vec<String> = Vec::new();
    for commit in commits {
        if LISTS.iter().all(|list| commit.get(list).is_none()) {
            return Ok(None);
        }
        for list in LISTS {
            files.extend(commit.optional(list, Node::texts)?.into_iter().flatten());
        }
    }
    files.sort_unstable();
    files.dedup();
    Ok((files.len() < FILES_BYPASS).then_some(files))
}

/// A pull request of GitHub, Forgejo and Gitea. `is_fork` compares its two ends.
fn pull_request(
    payload: &Object<'_>,
    is_fork: impl FnOnce(&Object<'_>, &Object<'_>) -> Read<bool>,
) -> Read<Event> {
    let object = payload.required("pull_request", Node::object)?;
    let (head, base) = (object.required("head", Node::object)?, object.required("base", Node::object)?);
    Ok(Event::PullRequest(PullRequest {
        number: object.required("number", number)?,
        branch: head.required("ref", branch)?,
        commit: Commit { hash: head.required("sha", hash)?, message: String::new(), dirty: false },
        fork: is_fork(&head, &base)?,
        open: object.required("state", Node::str)? == "open",
        title: object.optional("title", title)?.unwrap_or_default(),
    }))
}

/// An event that asks for nothing.
fn other(event: &str) -> Event {
    let name: String = event.chars().filter(|c| !c.is_control()).take(100).collect();
    Event::Other(Cow::Owned(format!("the event {name:?} does not deploy")))
}

fn number(node: &Node<'_>) -> Read<u64> {
    node.value().as_u64().ok_or_else(|| node.refuse("must be a whole number and not negative"))
}

fn branch(node: &Node<'_>) -> Read<BranchName> {
    BranchName::parse(node.str()?).map_err(|rule| node.refuse(format!("is not valid: {rule}")))
}

/// A commit: 40 hex digits, or 64 in a repository that uses SHA-256.
fn hash(node: &Node<'_>) -> Read<String> {
    let text = node.str()?;
    if is_commit_hash(text) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(node.refuse("must be a commit's hash"))
    }
}

/// Whether a text is a whole commit hash.
pub fn is_commit_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn title(node: &Node<'_>) -> Read<String> {
    Ok(node.str()?.chars().take(TITLE_CHARS_MAX).collect())
}

fn message_of(node: &Node<'_>) -> Read<String> {
    let message = node.str()?;
    let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
    Ok(message[..end].trim_end().to_owned())
}

/// The members that any of the readers looks at.
const MEMBERS: &[&str] = &[
    "added",
    "after",
    "base",
    "clone_url",
    "commits",
    "deleted",
    "full_name",
    "git_http_url",
    "git_ssh_url",
    "head",
    "head_commit",
    "id",
    "iid",
    "last_commit",
    "message",
    "modified",
    "number",
    "object_attributes",
    "path_with_namespace",
    "project",
    "pull_request",
    "ref",
    "removed",
    "repo",
    "repo_id",
    "repository",
    "sha",
    "source_branch",
    "source_project_id",
    "ssh_url",
    "state",
    "target_project_id",
    "title",
    "total_commits",
    "total_commits_count",
];

#[cfg(test)]
mod tests;
