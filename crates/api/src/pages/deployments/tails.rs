//! `…/deployments/{deployment_id}/tails`: live logs of Functions.
//!
//! Whoever may write to the project is given the address of a WebSocket ([`crate::pages::tails`]), which is all that is
//! needed to watch. That is how clients do it; so the address is a secret, and ends with the tail.

use std::net::IpAddr;

use axum::Extension;
use axum::extract::{Path, State};
use offprint_functions::{DeploymentKey, tail};
use offprint_model::id::DeploymentId;
use offprint_model::time::Timestamp;
use offprint_store::{Clock, ProjectScope, ShortId};
use offprint_wire::error_code::ErrorCode;
use offprint_wire::tail::{Filter, Tail, read_filters};

use super::PathId;
use crate::answer::{Done, Success};
use crate::auth::{InProject, Write};
use crate::body::SmallBody;
use crate::error::{ApiError, Result};
use crate::state::{ClientAddress, Ctx};

/// What stands for the address of whoever asks (Pages API, "tail").
const SELF: &str = "self";

pub(crate) async fn start(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    PathId(id): PathId,
    address: Option<Extension<ClientAddress>>,
    SmallBody(body): SmallBody,
) -> Result<Success<Tail>> {
    let mut filters = read_filters(&body)?;
    let deployment = ctx.store.deployment(&caller.scope, &id).await.map_err(not_found_is_no_worker)?;
    let key = key(&caller.scope, &id).filter(|_| deployment.uses_functions);
    let key = key.ok_or(ErrorCode::WorkerNotFound)?;
    if let Some(Extension(ClientAddress(address))) = address {
        replace_self(&mut filters, address);
    }
    let started = ctx.tails.start(key, filters).map_err(|_| ErrorCode::TooManyStreams)?;
    let lifetime = i64::try_from(tail::LIFETIME.as_micros()).unwrap_or(i64::MAX);
    let expires_at = Timestamp::from_micros(Clock::now().as_micros().saturating_add(lifetime)).into();
    let url = crate::pages::tails::url(&ctx.public_url, started.secret.expose());
    Ok(Success(Tail { id: started.id, url, expires_at }))
}

pub(crate) async fn end(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    PathId(id): PathId,
    Path(path): Path<Vec<(String, String)>>,
) -> Result<Done> {
    ctx.store.deployment(&caller.scope, &id).await.map_err(not_found_is_no_worker)?;
    let tail = path.iter().find(|(name, _)| name == "tail_id");
    if let (Some(key), Some((_, tail))) = (key(&caller.scope, &id), tail) {
        ctx.tails.end(&key, tail);
    }
    Ok(Done)
}

/// The name under which a deployment's Functions run.
pub(super) fn key(scope: &ProjectScope, id: &DeploymentId) -> Option<DeploymentKey> {
    let deployment = ShortId::parse(id.short())?;
    Some(DeploymentKey { project: scope.project_name().clone(), deployment })
}

/// Says who `self` is in filters.
pub(super) fn replace_self(filters: &mut [Filter], address: IpAddr) {
    for filter in filters {
        if let Filter::ClientIp(addresses) = filter {
            addresses.iter_mut().filter(|text| *text == SELF).for_each(|text| *text = address.to_string());
        }
    }
}

/// The real service has this code for a tail on an id that it does not know, too.
fn not_found_is_no_worker(error: offprint_store::StoreError) -> ApiError {
    let error = ApiError::from(error);
    match error.code() {
        ErrorCode::DeploymentNotFound => ErrorCode::WorkerNotFound.into(),
        _ => error,
    }
}
