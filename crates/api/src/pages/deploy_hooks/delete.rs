//! `DELETE …/deploy_hooks/{hook_id}`: its URL builds nothing any more.

use axum::extract::State;

use super::PathHook;
use crate::answer::Done;
use crate::auth::{InProject, Write};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    PathHook(id): PathHook,
) -> Result<Done> {
    ctx.store.delete_deploy_hook(&caller.scope, &id).await?;
    Ok(Done)
}
