//! The table of contents.

use axum::routing::{MethodRouter, get, post};
use offprint_model::listing::Entity;

use super::{api_keys, app_versions, apps, builds, deploys, files, list, webhooks, workspaces};
use crate::state::Ctx;

/// A list of an entity.
fn listed(entity: Entity) -> MethodRouter<Ctx> {
    get(move |state, caller, uri| list::list(entity, state, caller, uri))
}

/// One of an entity.
fn shown(entity: Entity) -> MethodRouter<Ctx> {
    get(move |state, caller, id| list::show(entity, state, caller, id))
}

/// Stopping one that runs.
fn cancelled(entity: Entity) -> MethodRouter<Ctx> {
    post(move |state, caller, id, body| deploys::cancel(entity, state, caller, id, body))
}

/// Paths below `/api`. `openapi` describes them, and a test compares the two.
pub(crate) fn table() -> Vec<(&'static str, MethodRouter<Ctx>)> {
    vec![
        ("/workspaces", listed(Entity::Workspace)),
        ("/workspaces/{id}", shown(Entity::Workspace)),
        ("/workspaces/{id}/stream", get(workspaces::stream)),
        ("/apps", listed(Entity::App).post(apps::create)),
        ("/apps/{id}", shown(Entity::App).patch(apps::update).delete(apps::delete)),
        ("/apps/{id}/restore", post(apps::restore)),
        ("/app-versions", listed(Entity::AppVersion).post(app_versions::create)),
        (
            "/app-versions/{id}",
            shown(Entity::AppVersion).patch(app_versions::update).delete(app_versions::delete),
        ),
        (
            "/app-versions/{id}/files",
            get(files::read).post(files::create).patch(files::replace).delete(files::delete),
        ),
        ("/builds", listed(Entity::Build).post(builds::create)),
        ("/builds/{id}", shown(Entity::Build)),
        ("/builds/{id}/cancel", cancelled(Entity::Build)),
        ("/deploys", listed(Entity::Deploy).post(deploys::create)),
        ("/deploys/{id}", shown(Entity::Deploy)),
        ("/deploys/{id}/cancel", cancelled(Entity::Deploy)),
        ("/deploys/{id}/stream", get(deploys::stream)),
        ("/events", listed(Entity::Event)),
        ("/events/{id}", shown(Entity::Event)),
        ("/webhook-subscriptions", listed(Entity::WebhookSubscription).post(webhooks::create)),
        (
            "/webhook-subscriptions/{id}",
            shown(Entity::WebhookSubscription).patch(webhooks::update).delete(webhooks::delete),
        ),
        ("/webhook-subscriptions/{id}/test", post(webhooks::test)),
        ("/api-keys", listed(Entity::ApiKey).post(api_keys::create)),
        ("/api-keys/{id}", shown(Entity::ApiKey).delete(api_keys::revoke)),
    ]
}
