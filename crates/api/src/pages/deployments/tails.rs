//! `…/deployments/{deployment_id}/tails`: live logs of Functions.
//!
//! Functions do not run yet, so there is nothing to follow: starting a tail has the real service's answer
//! for a deployment without a Worker, 8000068, and ending one is always done.

use axum::extract::State;
use offprint_wire::error_code::ErrorCode;
use offprint_wire::tail;

use super::PathId;
use crate::answer::Done;
use crate::auth::{InProject, Write};
use crate::body::SmallBody;
use crate::error::{ApiError, Result};
use crate::state::Ctx;

pub(crate) async fn start(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    PathId(id): PathId,
    SmallBody(body): SmallBody,
) -> Result<Done> {
    tail::read_filters(&body)?;
    let deployment = ctx.store.deployment(&caller.scope, &id).await.map_err(not_found_is_no_worker)?;
    if deployment.uses_functions {
        let why = "This server does not run Functions yet, so there are no logs to follow.";
        return Err(ApiError::explained(ErrorCode::WorkerNotFound, why));
    }
    Err(ErrorCode::WorkerNotFound.into())
}

pub(crate) async fn end(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    PathId(id): PathId,
) -> Result<Done> {
    ctx.store.deployment(&caller.scope, &id).await.map_err(not_found_is_no_worker)?;
    Ok(Done)
}

/// The real service has this code for a tail on an id that it does not know, too.
fn not_found_is_no_worker(error: offprint_store::StoreError) -> ApiError {
    let error = ApiError::from(error);
    match error.code() {
        ErrorCode::DeploymentNotFound => ErrorCode::WorkerNotFound.into(),
        _ => error,
    }
}
