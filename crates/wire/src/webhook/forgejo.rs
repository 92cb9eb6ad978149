//! Forgejo and Gitea: "Webhooks". A push lists a few commits only (five, unless the server is set up otherwise),
//! and `total_commits` counts them all.

use super::{Event, number, other, pull_request, push};
use crate::json::{Object, Read};

/// What a payload says. `event` is `X-Forgejo-Event` or `X-Gitea-Event`.
pub(super) fn event(payload: &Object<'_>, event: &str) -> Read<Event> {
    match event {
        "push" => push(payload, payload.optional("total_commits", number)?),
        "pull_request" | "pull_request_sync" => pull_request(payload, |head, base| {
            // The repository of a head that was deleted has the number -1: it was a fork.
            let id =
                |end: &Object<'_>| Ok(end.required("repo_id", |node| Ok(node.value().clone()))?.as_i64());
            let head = id(head)?;
            Ok(head.is_none() || head != id(base)?)
        }),
        _ => Ok(other(event)),
    }
}
