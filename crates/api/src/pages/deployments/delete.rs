//! `DELETE …/deployments/{deployment_id}`: never the live one; one with a branch's host only with `force`.

use axum::extract::State;
use http::Uri;

use super::PathId;
use crate::answer::Done;
use crate::auth::{InProject, Write};
use crate::error::Result;
use crate::query::Parameters;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Done> {
    let force = Parameters::of(&uri)?.switch("force")?;
    ctx.store.delete_deployment(&caller.scope, &id, force).await?;
    ctx.wake.edge();
    Ok(Done)
}
