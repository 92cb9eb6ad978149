//! GitHub: "Webhook events and payloads". A push lists 2048 commits at the most, and 3000 files of each.

use super::{Event, other, pull_request, push};
use crate::json::{Node, Object, Read};

/// What a payload says. `event` is `X-GitHub-Event`.
pub(super) fn event(payload: &Object<'_>, event: &str) -> Read<Event> {
    match event {
        "push" => push(payload, None),
        // The repository of a head that was deleted is `null`: it was a fork.
        "pull_request" => pull_request(payload, |head, base| {
            let id = |end: &Object<'_>| {
                let repository = end.optional("repo", Node::object)?;
                repository.map(|repository| repository.required("id", super::number)).transpose()
            };
            let head = id(head)?;
            Ok(head.is_none() || head != id(base)?)
        }),
        _ => Ok(other(event)),
    }
}
