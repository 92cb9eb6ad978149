//! `GET …/deployments/{deployment_id}/exceptions`: the recent calls of its Functions that failed, newest first. An
//! extension of the Pages API.
//!
//! `filters` takes the list of a tail's filters as JSON, `search` a text of what was thrown or logged, `limit` a number.

use axum::Extension;
use axum::extract::State;
use http::Uri;
use offprint_functions::tail::admits;
use offprint_wire::json::{InvalidMember, Node, Read as Parsed};
use offprint_wire::tail::{Filter, TailEvent, read_list};

use super::PathId;
use super::tails::{key, replace_self};
use crate::answer::Success;
use crate::auth::{InProject, Read};
use crate::error::Result;
use crate::query::Parameters;
use crate::state::{ClientAddress, Ctx};

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Read>,
    PathId(id): PathId,
    address: Option<Extension<ClientAddress>>,
    uri: Uri,
) -> Result<Success<Vec<TailEvent>>> {
    let parameters = Parameters::of(&uri)?;
    let mut filters = parameters.get("filters").map_or(Ok(Vec::new()), filters)?;
    if let Some(Extension(ClientAddress(address))) = address {
        replace_self(&mut filters, address);
    }
    let limit = parameters.get("limit").map_or(Ok(usize::MAX), limit)?;
    ctx.store.deployment(&caller.scope, &id).await?;
    let failures = key(&caller.scope, &id).map(|key| ctx.tails.failures(&key)).unwrap_or_default();
    let asked_for = |event: &&_| {
        let event: &TailEvent = event;
        admits(&filters, event) && parameters.get("search").is_none_or(|text| event.mentions(text))
    };
    let found = failures.iter().map(AsRef::as_ref).filter(asked_for).take(limit).cloned();
    Ok(Success(found.collect()))
}

fn filters(text: &str) -> Parsed<Vec<Filter>> {
    let list = offprint_wire::json::parse(text.as_bytes())
        .map_err(|error| InvalidMember::new("filters", error.rule))?;
    read_list(&Node::root(&list))
        .map_err(|error| InvalidMember::new(format!("filters{}", error.path), error.rule))
}

fn limit(text: &str) -> Parsed<usize> {
    text.parse().map_err(|_| InvalidMember::new("limit", "must be a whole number"))
}
