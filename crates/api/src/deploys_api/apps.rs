//! `/api/apps`: sites.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use offprint_model::listing::Entity as Listed;
use offprint_store::{Entity, StoreError};
use offprint_wire::deploys::problem::ProblemCode;

use super::app_fields::{CREATED_WITH, UPDATED_WITH, new_app, patch};
use super::body::JsonBody;
use super::caller::{Caller, PathId};
use super::problem::{Problem, Result};
use super::shown::{Answer, shown, success};
use crate::state::Ctx;

/// What bodies name by its id.
const NAMED: &[(Listed, &str)] = &[(Listed::AppVersion, "defaultVersionId")];

/// `POST /api/apps`.
pub(super) async fn create(State(ctx): State<Ctx>, caller: Caller, body: JsonBody) -> Result<Response> {
    let object = body.object(&CREATED_WITH)?;
    let workspace = object.optional("workspaceId", |node| node.text())?;
    let new = new_app(&object)?;
    let handle = new.handle.clone();
    let made =
        ctx.store.create_app(&caller.0, workspace.as_deref(), new).await.map_err(|error| match error {
            StoreError::Exists(Entity::Project) => Problem::conflict(
                "handle",
                format!("{handle} is taken on this server, maybe by a deleted app; give another one"),
            ),
            error => Problem::naming(NAMED)(error),
        })?;
    ctx.wake.edge();
    Ok(Answer(StatusCode::CREATED, shown(&ctx, &made)).into_response())
}

/// `PATCH /api/apps/{id}`.
pub(super) async fn update(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(id): PathId,
    body: JsonBody,
) -> Result<Response> {
    let patch = patch(&body.object(&UPDATED_WITH)?)?;
    let changed = ctx.store.update_app(&caller.0, &id, patch).await.map_err(Problem::naming(NAMED))?;
    ctx.wake.edge();
    Ok(Answer(StatusCode::OK, shown(&ctx, &changed)).into_response())
}

/// `DELETE /api/apps/{id}`. The apps that a limited key is good for are not its to delete.
pub(super) async fn delete(State(ctx): State<Ctx>, caller: Caller, PathId(id): PathId) -> Result<Response> {
    if !caller.0.is_whole() {
        let why =
            "This API key is good for some apps only; to delete one takes a key for the whole workspace.";
        return Err(Problem::new(ProblemCode::NotFound, why));
    }
    ctx.store.delete_app(&caller.0, &id).await?;
    ctx.wake.edge();
    ctx.wake_builders();
    Ok(success().into_response())
}

/// `POST /api/apps/{id}/restore`.
pub(super) async fn restore(State(ctx): State<Ctx>, caller: Caller, PathId(id): PathId) -> Result<Response> {
    let restored = ctx.store.restore_app(&caller.0, &id).await?;
    ctx.wake.edge();
    Ok(Answer(StatusCode::OK, shown(&ctx, &restored)).into_response())
}
