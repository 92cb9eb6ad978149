//! `DELETE …/namespaces/{namespace_id}`: with all pairs. Functions bound to it get errors from now on.

use axum::extract::State;

use crate::answer::Done;
use crate::auth::{InResource, Kv, Write};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(State(ctx): State<Ctx>, caller: InResource<Write, Kv>) -> Result<Done> {
    ctx.resources.delete(&caller.scope, &caller.resource).await?;
    Ok(Done)
}
