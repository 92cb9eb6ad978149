//! `POST …/projects/{project_name}/purge_build_cache`: the next build begins with an empty cache.

use axum::extract::State;

use crate::answer::Done;
use crate::auth::{InProject, Write};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(State(ctx): State<Ctx>, caller: InProject<Write>) -> Result<Done> {
    ctx.store.purge_build_cache(&caller.scope).await?;
    Ok(Done)
}
