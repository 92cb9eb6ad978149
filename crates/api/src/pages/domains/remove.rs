//! `DELETE …/domains/{domain_name}`.

use axum::extract::State;

use super::PathName;
use crate::answer::Done;
use crate::auth::{InProject, Write};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    PathName(name): PathName,
) -> Result<Done> {
    ctx.store.remove_domain(&caller.scope, &name).await?;
    ctx.wake.edge();
    Ok(Done)
}
