//! `DELETE …/d1/database/{database_id}`: with all that is in it. Functions bound to it get errors from now on.

use axum::extract::State;

use crate::answer::Done;
use crate::auth::{D1, InResource, Write};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(State(ctx): State<Ctx>, caller: InResource<Write, D1>) -> Result<Done> {
    ctx.resources.delete(&caller.scope, &caller.resource).await?;
    Ok(Done)
}
