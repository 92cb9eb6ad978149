//! `DELETE …/r2/buckets/{bucket_name}`: an empty one.

use axum::extract::State;

use crate::answer::Done;
use crate::auth::{InResource, R2, Write};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(State(ctx): State<Ctx>, caller: InResource<Write, R2>) -> Result<Done> {
    ctx.resources.delete(&caller.scope, &caller.resource).await?;
    Ok(Done)
}
