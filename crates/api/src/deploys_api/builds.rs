//! `/api/builds`: make content of a version, watch it, stop it.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use offprint_model::listing::Entity;

use super::body::JsonBody;
use super::caller::{Caller, PathId};
use super::deploys::reason;
use super::problem::{Problem, Result};
use super::shown::{Answer, shown, success, with_steps};
use crate::state::Ctx;

/// `POST /api/builds`.
pub(super) async fn create(State(ctx): State<Ctx>, caller: Caller, body: JsonBody) -> Result<Response> {
    let object = body.object(&["appVersionId"])?;
    let version = object.required("appVersionId", |node| node.text())?;
    let made = ctx.store.create_version_build(&caller.0, &version).await?;
    ctx.wake.pipeline();
    Ok(Answer(StatusCode::CREATED, shown(&ctx, &made)).into_response())
}

/// `GET /api/builds/{id}`.
pub(super) async fn show(State(ctx): State<Ctx>, caller: Caller, PathId(id): PathId) -> Result<Response> {
    let found = ctx.store.find(&caller.0, Entity::Build, &id).await?.ok_or_else(Problem::not_found)?;
    let steps = ctx.store.steps(Entity::Build, &id).await?;
    Ok(Answer(StatusCode::OK, with_steps(&ctx, &found, &steps)).into_response())
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
