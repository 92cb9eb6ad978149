//! `GET …/deployments/{deployment_id}/history/logs`. `size` is accepted; the answer is the whole log.

use axum::extract::State;
use offprint_wire::log::DeploymentLog;

use super::PathId;
use crate::answer::Success;
use crate::auth::{InProject, Read};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Read>,
    PathId(id): PathId,
) -> Result<Success<DeploymentLog>> {
    let lines = ctx.store.logs(&caller.scope, &id).await?;
    Ok(Success(DeploymentLog::new(lines, false)))
}
