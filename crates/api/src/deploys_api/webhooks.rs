//! `/api/webhook-subscriptions`: who is told of events.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use offprint_model::secret::Secret;
use offprint_store::WebhookPatch;
use offprint_wire::json::{Node, Object, Read};

use super::body::{JsonBody, line};
use super::caller::{Caller, PathId};
use super::problem::Result;
use super::shown::{Answer, shown, success};
use crate::state::Ctx;

/// Types of one filter.
const TYPES_MAX: usize = 50;

/// `POST /api/webhook-subscriptions`.
pub(super) async fn create(State(ctx): State<Ctx>, caller: Caller, body: JsonBody) -> Result<Response> {
    let object = body.object(&["workspaceId", "name", "url", "secret", "filter", "enabled"])?;
    let workspace = object.optional("workspaceId", |node| node.text())?;
    object.required("name", |node| node.text())?;
    object.required("url", |node| node.text())?;
    let made = ctx.store.create_webhook(&caller.0, workspace.as_deref(), patch(&object)?).await?;
    Ok(Answer(StatusCode::CREATED, shown(&ctx, &made)).into_response())
}

/// `PATCH /api/webhook-subscriptions/{id}`.
pub(super) async fn update(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(id): PathId,
    body: JsonBody,
) -> Result<Response> {
    let patch = patch(&body.object(&["name", "url", "secret", "filter", "enabled"])?)?;
    let changed = ctx.store.update_webhook(&caller.0, &id, patch).await?;
    Ok(Answer(StatusCode::OK, shown(&ctx, &changed)).into_response())
}

/// `DELETE /api/webhook-subscriptions/{id}`.
pub(super) async fn delete(State(ctx): State<Ctx>, caller: Caller, PathId(id): PathId) -> Result<Response> {
    ctx.store.delete_webhook(&caller.0, &id).await?;
    Ok(success().into_response())
}

/// `POST /api/webhook-subscriptions/{id}/test`.
pub(super) async fn test(State(ctx): State<Ctx>, caller: Caller, PathId(id): PathId) -> Result<Response> {
    ctx.store.test_webhook(&caller.0, &id).await?;
    Ok(success().into_response())
}

fn patch(object: &Object<'_>) -> Result<WebhookPatch> {
    Ok(WebhookPatch {
        name: object.optional("name", |node| line(node, 100))?,
        url: object.optional("url", url)?,
        secret: object.patch("secret", |node| line(node, 200).map(Secret::new))?,
        filter: object.patch("filter", types)?,
        enabled: object.optional("enabled", |node| node.boolean())?,
    })
}

fn url(node: &Node<'_>) -> Read<String> {
    let text = line(node, 1000)?;
    let url = url::Url::parse(&text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| node.refuse("must be an address that begins with http:// or https://"))?;
    // Whoever may read the subscription reads its address.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(node.refuse("must not hold a user name or a password; calls are signed with the secret"));
    }
    Ok(text)
}

fn types(node: &Node<'_>) -> Read<Vec<String>> {
    let elements = node.elements()?;
    if elements.len() > TYPES_MAX {
        return Err(node.refuse(format!("has more than {TYPES_MAX} types")));
    }
    elements.map(|element| line(&element, 100)).collect()
}
