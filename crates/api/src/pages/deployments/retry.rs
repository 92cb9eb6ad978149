//! `POST …/deployments/{deployment_id}/retry`: a new deployment of the same content and configuration.

use axum::extract::State;
use offprint_wire::deployment::Deployment;

use super::PathId;
use crate::answer::Success;
use crate::auth::{InProject, Write};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    PathId(id): PathId,
) -> Result<Success<Deployment>> {
    let deployment = ctx.store.retry_deployment(&caller.scope, &id).await?;
    ctx.wake.pipeline();
    Ok(Success(Deployment::new(&deployment, &ctx.urls)))
}
