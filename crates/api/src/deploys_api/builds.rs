//! `/api/builds`: make content of a version, watch it, stop it.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::body::JsonBody;
use super::caller::{Caller, PathId};
use super::deploys::reason;
use super::problem::Result;
use super::shown::{Answer, shown, success};
use crate::state::Ctx;

/// `POST /api/builds`.
pub(super) async fn create(State(ctx): State<Ctx>, caller: Caller, body: JsonBody) -> Result<Response> {
    let object = body.object(&["appVersionId"])?;
    let version = object.required("appVersionId", |node| node.text())?;
    let made = ctx.store.create_version_build(&caller.0, &version).await?;
    ctx.wake.pipeline();
    Ok(Answer(StatusCode::CREATED, shown(&ctx, &made)).into_response())
}

/// `POST /api/builds/{id}/cancel`.
pub(super) async fn cancel(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(id): PathId,
    body: JsonBody,
) -> Result<Response> {
    let reason = reason(&body)?;
    ctx.store.cancel_build(&caller.0, &id, reason.as_deref()).await?;
    ctx.wake_builders();
    Ok(success().into_response())
}
