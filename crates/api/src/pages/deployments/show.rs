//! `GET …/deployments/{deployment_id}`: what wrangler polls.

use axum::extract::State;
use offprint_wire::deployment::Deployment;

use super::PathId;
use crate::answer::Success;
use crate::auth::{InProject, Read};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Read>,
    PathId(id): PathId,
) -> Result<Success<Deployment>> {
    let deployment = ctx.store.deployment(&caller.scope, &id).await?;
    Ok(Success(Deployment::new(&deployment, &ctx.urls)))
}
