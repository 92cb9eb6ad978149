//! `/api/workspaces`.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use offprint_model::listing::Entity;

use super::caller::{Caller, PathId};
use super::events::follow_workspace;
use super::problem::{Problem, Result};
use crate::state::Ctx;

/// `GET /api/workspaces/{id}/stream`: what happens in the workspace, as it happens.
pub(super) async fn stream(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<Response> {
    let found = ctx.store.find(&caller.0, Entity::Workspace, &id).await?;
    found.ok_or_else(|| Problem::not_found(Entity::Workspace))?;
    follow_workspace(&ctx, caller.0, id, &headers).await
}
