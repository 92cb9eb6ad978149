//! `DELETE …/projects/{project_name}`: refused while it has domains or very many deployments.

use axum::extract::State;

use crate::answer::Done;
use crate::auth::{InProject, Write};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(State(ctx): State<Ctx>, caller: InProject<Write>) -> Result<Done> {
    ctx.store.delete_project(&caller.scope).await?;
    ctx.wake.edge();
    Ok(Done)
}
