//! `/api/app-versions`: snapshots of an app's files.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use offprint_model::listing::Entity as Listed;

use super::body::{JsonBody, line};
use super::caller::{Caller, PathId};
use super::problem::{Problem, Result};
use super::shown::{Answer, shown, success};
use crate::state::Ctx;

/// Characters of a name.
const NAME_CHARS_MAX: usize = 100;

/// `POST /api/app-versions`.
pub(super) async fn create(State(ctx): State<Ctx>, caller: Caller, body: JsonBody) -> Result<Response> {
    let object = body.object(&["appId", "name", "parentId"])?;
    let app = object.required("appId", |node| node.text())?;
    let name = object.optional("name", |node| line(node, NAME_CHARS_MAX))?;
    let parent = object.optional("parentId", |node| node.text())?;
    let name = name.as_deref().unwrap_or("Untitled");
    let made = ctx.store.create_version(&caller.0, &app, name, parent.as_deref()).await;
    let made = made.map_err(Problem::naming(&[(Listed::App, "appId"), (Listed::AppVersion, "parentId")]))?;
    Ok(Answer(StatusCode::CREATED, shown(&ctx, &made)).into_response())
}

/// `PATCH /api/app-versions/{id}`.
pub(super) async fn update(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(id): PathId,
    body: JsonBody,
) -> Result<Response> {
    let name = body.object(&["name"])?.required("name", |node| line(node, NAME_CHARS_MAX))?;
    let changed = ctx.store.rename_version(&caller.0, &id, &name).await?;
    Ok(Answer(StatusCode::OK, shown(&ctx, &changed)).into_response())
}

/// `DELETE /api/app-versions/{id}`.
pub(super) async fn delete(State(ctx): State<Ctx>, caller: Caller, PathId(id): PathId) -> Result<Response> {
    ctx.store.delete_version(&caller.0, &id).await?;
    Ok(success().into_response())
}
