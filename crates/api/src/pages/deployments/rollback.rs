//! `POST …/deployments/{deployment_id}/rollback`: makes an older deployment live, at once, building and
//! uploading nothing. For a preview it points the branch's host at it, which is our extension.

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
    let deployment = ctx.store.rollback(&caller.scope, &id).await?;
    ctx.wake.edge();
    Ok(Success(Deployment::new(&deployment, &ctx.urls)))
}
