//! `/api/deploys`: publish a build, watch it, stop it.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use offprint_model::listing::Entity;
use offprint_store::DeployWish;

use super::body::{JsonBody, line};
use super::caller::{Caller, PathId};
use super::events::follow_deploy;
use super::problem::{Problem, Result};
use super::shown::{Answer, shown, success};
use crate::state::Ctx;

/// Characters of a reason.
const REASON_CHARS_MAX: usize = 500;

/// `POST /api/deploys`.
pub(super) async fn create(State(ctx): State<Ctx>, caller: Caller, body: JsonBody) -> Result<Response> {
    let object = body.object(&["buildId", "appId"])?;
    let build = object.optional("buildId", |node| node.text())?;
    let app = object.optional("appId", |node| node.text())?;
    let wish = match (build, app) {
        (Some(build), None) => DeployWish::Build(build),
        (None, Some(app)) => DeployWish::App(app),
        (None, None) => return Err(Problem::unprocessable("buildId", "is needed, or appId")),
        (Some(_), Some(_)) => return Err(Problem::unprocessable("appId", "cannot be combined with buildId")),
    };
    let made = ctx.store.create_deploy(&caller.0, &wish).await;
    let made = made.map_err(Problem::naming(&[(Entity::Build, "buildId"), (Entity::App, "appId")]))?;
    ctx.wake.pipeline();
    Ok(Answer(StatusCode::CREATED, shown(&ctx, &made)).into_response())
}

/// `POST …/{id}/cancel` of a build or a deploy.
pub(super) async fn cancel(
    entity: Entity,
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(id): PathId,
    body: JsonBody,
) -> Result<Response> {
    let reason = body.object(&["reason"])?.optional("reason", |node| line(node, REASON_CHARS_MAX))?;
    match entity {
        Entity::Build => ctx.store.cancel_build(&caller.0, &id, reason.as_deref()).await?,
        _ => ctx.store.cancel_deploy(&caller.0, &id, reason.as_deref()).await?,
    }
    ctx.wake_builders();
    Ok(success().into_response())
}

/// `GET /api/deploys/{id}/stream`.
pub(super) async fn stream(State(ctx): State<Ctx>, caller: Caller, PathId(id): PathId) -> Result<Response> {
    let found = ctx.store.find(&caller.0, Entity::Deploy, &id).await?;
    found.ok_or_else(|| Problem::not_found(Entity::Deploy))?;
    follow_deploy(&ctx, caller.0, id)
}
