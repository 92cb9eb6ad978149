//! `/api/api-keys`: who may call the APIs. A key that is good for some apps only makes none.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use offprint_model::listing::Entity as Listed;
use offprint_store::{Clock, NewApiKey, Permission};
use offprint_wire::time::Time;
use serde_json::json;

use super::body::{JsonBody, line};
use super::caller::{Caller, PathId};
use super::problem::{Problem, Result};
use super::shown::{Answer, shown, success};
use crate::state::Ctx;

/// Apps of one key.
const APPS_MAX: usize = 100;

/// What bodies name by its id.
const NAMED: &[(Listed, &str)] = &[(Listed::App, "appIds")];

/// `POST /api/api-keys`. The secret is shown this once.
pub(super) async fn create(State(ctx): State<Ctx>, caller: Caller, body: JsonBody) -> Result<Response> {
    let object = body.object(&["workspaceId", "name", "permission", "appIds", "expiresAt"])?;
    let permissions = [("read", Permission::Read), ("write", Permission::Write)];
    let expires = object.optional("expiresAt", |node| {
        let time = node.value().as_str().and_then(Time::parse);
        time.map(|time| time.0).ok_or_else(|| node.refuse("must be an RFC 3339 time"))
    })?;
    if expires.is_some_and(|expires| expires <= Clock::now()) {
        return Err(Problem::unprocessable("expiresAt", "must be in the future"));
    }
    let apps = object.optional("appIds", |node| node.texts())?;
    if apps.as_ref().is_some_and(|apps| apps.is_empty() || apps.len() > APPS_MAX) {
        return Err(Problem::at("appIds", format!("must name 1 to {APPS_MAX} apps, or be absent")));
    }
    let new = NewApiKey {
        workspace: object.optional("workspaceId", |node| node.text())?,
        name: object.required("name", |node| line(node, 100))?,
        permission: object.required("permission", |node| node.one_of(&permissions))?,
        apps,
        expires,
    };
    let (made, secret) = ctx.store.create_api_key(&caller.0, new).await.map_err(Problem::naming(NAMED))?;
    let mut shown = shown(&ctx, &made);
    shown.more.push(("secret", json!(secret.expose())));
    Ok(Answer(StatusCode::CREATED, shown).into_response())
}

/// `DELETE /api/api-keys/{id}`.
pub(super) async fn revoke(State(ctx): State<Ctx>, caller: Caller, PathId(id): PathId) -> Result<Response> {
    ctx.store.revoke_api_key(&caller.0, &id).await?;
    Ok(success().into_response())
}
