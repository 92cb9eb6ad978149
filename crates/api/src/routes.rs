//! The table of contents.

use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::routing::{MethodRouter, delete, get, post};
use http::Uri;
use offprint_wire::error_code::ErrorCode;
use tower::service_fn;

use crate::account::{accounts, memberships, tokens, user};
use crate::deploys_api;
use crate::error::ApiError;
use crate::front;
use crate::pages::{assets, deploy_hooks, deployments, domains, projects, tails, webhooks};
use crate::state::{ApiState, Context, Ctx};

/// Everything below `/client/v4` and `/api`, and the description of the latter. The router has no fallback, so it can be
/// merged into another.
pub fn router(state: ApiState) -> Router {
    let ctx = Context::new(state);
    let inner = table()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .route_layer(from_fn(front::note_route))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_route)
        .with_state(ctx.clone());
    let front = service_fn(move |request: Request| {
        let inner = inner.clone();
        async move { Ok::<_, Infallible>(front::answer(inner, request).await) }
    });
    Router::new().nest_service(front::PREFIX, front).merge(deploys_api::router(&ctx))
}

/// Paths are those of the official OpenAPI description, which a test compares, and our extensions.
fn table() -> Vec<(&'static str, MethodRouter<Ctx>)> {
    let mut table = account_table();
    table.extend(project_table());
    table.extend(source_table());
    table.extend(functions_table());
    table.extend([
        ("/pages/assets/check-missing", post(assets::check_missing::handle)),
        ("/pages/assets/upload", post(assets::upload::handle)),
        ("/pages/assets/upsert-hashes", post(assets::upsert_hashes::handle)),
        ("/pages/tails/{secret}", get(tails::handle)),
        ("/pages/webhooks/deploy_hooks/{hook_id}", post(webhooks::deploy_hooks::handle)),
        ("/pages/webhooks/git/{project_id}", post(webhooks::git::handle)),
    ]);
    table
}

fn account_table() -> Vec<(&'static str, MethodRouter<Ctx>)> {
    vec![
        ("/user", get(user::show)),
        ("/user/tokens/verify", get(tokens::verify::of_user)),
        ("/memberships", get(memberships::list)),
        ("/accounts", get(accounts::list)),
        ("/accounts/{account_id}", get(accounts::show)),
        ("/accounts/{account_id}/tokens", get(tokens::list::handle).post(tokens::create::handle)),
        ("/accounts/{account_id}/tokens/permission_groups", get(tokens::permission_groups::handle)),
        ("/accounts/{account_id}/tokens/verify", get(tokens::verify::of_account)),
        ("/accounts/{account_id}/tokens/{token_id}", delete(tokens::revoke::handle)),
    ]
}

fn project_table() -> Vec<(&'static str, MethodRouter<Ctx>)> {
    vec![
        ("/accounts/{account_id}/pages/projects", get(projects::list::handle).post(projects::create::handle)),
        (
            "/accounts/{account_id}/pages/projects/{project_name}",
            get(projects::show::handle).patch(projects::update::handle).delete(projects::delete::handle),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/upload-token",
            get(projects::upload_token::handle),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/purge_build_cache",
            post(projects::purge_build_cache::handle),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/deployments",
            get(deployments::list::handle).post(deployments::create::handle),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/deployments/{deployment_id}",
            get(deployments::show::handle).delete(deployments::delete::handle),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/deployments/{deployment_id}/history/logs",
            get(deployments::logs::handle),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/deployments/{deployment_id}/retry",
            post(deployments::retry::handle),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/deployments/{deployment_id}/rollback",
            post(deployments::rollback::handle),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/deployments/{deployment_id}/tails",
            post(deployments::tails::start),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/deployments/{deployment_id}/tails/{tail_id}",
            delete(deployments::tails::end),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/domains",
            get(domains::list::handle).post(domains::add::handle),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/domains/{domain_name}",
            get(domains::show::handle).patch(domains::recheck::handle).delete(domains::remove::handle),
        ),
    ]
}

/// Extensions for projects that are built from git.
fn source_table() -> Vec<(&'static str, MethodRouter<Ctx>)> {
    vec![
        (
            "/accounts/{account_id}/pages/projects/{project_name}/deployments/{deployment_id}/cancel",
            post(deployments::cancel::handle),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/deployments/{deployment_id}/history/logs/stream",
            get(deployments::log_stream::handle),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/deploy_hooks",
            get(deploy_hooks::list::handle).post(deploy_hooks::create::handle),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/deploy_hooks/{hook_id}",
            delete(deploy_hooks::delete::handle),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/source",
            get(projects::source::show).patch(projects::source::update),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/source/webhook_secret",
            post(projects::source::renew_webhook_secret),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/pull_requests",
            get(projects::pull_requests::list),
        ),
        (
            "/accounts/{account_id}/pages/projects/{project_name}/pull_requests/{number}/approve",
            post(projects::pull_requests::approve),
        ),
    ]
}

/// Extensions for what Functions leave behind.
fn functions_table() -> Vec<(&'static str, MethodRouter<Ctx>)> {
    vec![(
        "/accounts/{account_id}/pages/projects/{project_name}/deployments/{deployment_id}/exceptions",
        get(deployments::exceptions::handle),
    )]
}

async fn no_route(uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    ApiError::explained(
        ErrorCode::NoRoute,
        format!("Could not route to {}{path}, perhaps your object identifier is invalid?", front::PREFIX),
    )
}

async fn method_not_allowed() -> ApiError {
    ErrorCode::MethodNotAllowed.into()
}
