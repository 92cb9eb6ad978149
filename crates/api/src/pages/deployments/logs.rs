//! `GET …/deployments/{deployment_id}/history/logs`. `size` is accepted; the answer is the whole log.

use axum::extract::State;
use offprint_model::stages::StageName;
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
    let deployment = ctx.store.deployment(&caller.scope, &id).await?;
    let lines = ctx.store.logs(&caller.scope, &id).await?;
    Ok(Success(DeploymentLog::new(lines, deployment.stages.get(StageName::Build).started.is_some())))
}
