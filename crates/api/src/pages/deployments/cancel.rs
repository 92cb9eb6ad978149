//! `POST …/deployments/{deployment_id}/cancel`: stops a deployment that has not ended. An extension of the Pages API.

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
    let deployment = ctx.store.cancel_deployment(&caller.scope, &id).await?;
    ctx.wake_builders();
    Ok(Success(Deployment::new(&deployment, &ctx.urls)))
}
