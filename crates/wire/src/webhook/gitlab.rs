//! GitLab: "Webhook events". A push lists its newest 20 commits, and `total_commits_count` counts them all.

use offprint_model::deployment::Commit;

use super::{Event, PullRequest, Repository, branch, hash, message_of, number, other, push, texts, title};
use crate::json::{Node, Object, Read};

/// What a payload says. `event` is `X-Gitlab-Event`.
pub(super) fn event(payload: &Object<'_>, event: &str) -> Read<Event> {
    match event {
        "Push Hook" | "Tag Push Hook" => push(payload, payload.optional("total_commits_count", number)?),
        "Merge Request Hook" => merge_request(payload),
        _ => Ok(other(event)),
    }
}

/// `project`: the repository in which it happened; for a merge request, the one that is to be merged into.
pub(super) fn project(node: &Node<'_>) -> Read<Repository> {
    let object = node.object()?;
    Ok(Repository {
        id: object.optional("id", number)?.map_or_else(String::new, |id| id.to_string()),
        full_name: object.required("path_with_namespace", Node::text)?,
        clone_urls: texts(&object, ["git_http_url", "git_ssh_url"])?,
    })
}

fn merge_request(payload: &Object<'_>) -> Read<Event> {
    let object = payload.required("object_attributes", Node::object)?;
    let commit = object.required("last_commit", Node::object)?;
    // The project of a source that was deleted is `null`: it was a fork.
    let source = object.optional("source_project_id", number)?;
    let target = object.required("target_project_id", number)?;
    Ok(Event::PullRequest(PullRequest {
        number: object.required("iid", number)?,
        branch: object.required("source_branch", branch)?,
        commit: Commit {
            hash: commit.required("id", hash)?,
            message: commit.optional("message", message_of)?.unwrap_or_default(),
            dirty: false,
        },
        fork: source != Some(target),
        open: object.required("state", Node::str)? == "opened",
        title: object.optional("title", title)?.unwrap_or_default(),
    }))
}
