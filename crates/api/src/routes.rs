//! The table of contents.

use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::routing::{MethodRouter, delete, get, post, put};
use http::Uri;
use offprint_wire::error_code::ErrorCode;
use tower::service_fn;

use crate::account::{accounts, memberships, tokens, user};
use crate::d1;
use crate::deploys_api;
use crate::error::ApiError;
use crate::front;
use crate::graphql;
use crate::kv;
use crate::pages::{assets, deploy_hooks, deployments, domains, projects, tails, webhooks};
use crate::r2;
use crate::state::{ApiState, Context, Ctx};

/// Everything below `/client/v4` and `/api`, and the description of the latter. The router has no fallback, so it can be
/// merged into another.
pub fn router(state: ApiState) -> Router {
    let ctx = Context::new(state);
    let inner = front::router_of(table())
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
pub(crate) fn table() -> Vec<(&'static str, MethodRouter<Ctx>)> {
    let mut table = account_table();
    table.extend(project_table());
    table.extend(source_table());
    table.extend(functions_table());
    table.extend(kv_table());
    table.extend(d1_table());
    table.extend(r2_table());
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

/// KV, as far as wrangler and the SDKs ask for it.
fn kv_table() -> Vec<(&'static str, MethodRouter<Ctx>)> {
    vec![
        ("/accounts/{account_id}/storage/kv/namespaces", get(kv::list::handle).post(kv::create::handle)),
        (
            "/accounts/{account_id}/storage/kv/namespaces/{namespace_id}",
            get(kv::show::handle).put(kv::rename::handle).delete(kv::delete::handle),
        ),
        ("/accounts/{account_id}/storage/kv/namespaces/{namespace_id}/keys", get(kv::keys::handle)),
        (
            "/accounts/{account_id}/storage/kv/namespaces/{namespace_id}/values/{*key_name}",
            get(kv::values::get).put(kv::values::put).delete(kv::values::delete),
        ),
        (
            "/accounts/{account_id}/storage/kv/namespaces/{namespace_id}/metadata/{*key_name}",
            get(kv::metadata::handle),
        ),
        (
            "/accounts/{account_id}/storage/kv/namespaces/{namespace_id}/bulk",
            put(kv::bulk::put).delete(kv::bulk::delete),
        ),
        ("/accounts/{account_id}/storage/kv/namespaces/{namespace_id}/bulk/delete", post(kv::bulk::delete)),
        ("/accounts/{account_id}/storage/kv/namespaces/{namespace_id}/bulk/get", post(kv::bulk::get)),
    ]
}

/// D1, as far as wrangler and the SDKs ask for it.
fn d1_table() -> Vec<(&'static str, MethodRouter<Ctx>)> {
    vec![
        ("/accounts/{account_id}/d1/database", get(d1::list::handle).post(d1::create::handle)),
        (
            "/accounts/{account_id}/d1/database/{database_id}",
            get(d1::show::handle).delete(d1::delete::handle),
        ),
        ("/accounts/{account_id}/d1/database/{database_id}/query", post(d1::query::objects)),
        ("/accounts/{account_id}/d1/database/{database_id}/raw", post(d1::query::arrays)),
        ("/accounts/{account_id}/d1/database/{database_id}/import", post(d1::import::step)),
        ("/accounts/{account_id}/d1/database/{database_id}/export", post(d1::export::start)),
        (
            "/accounts/{account_id}/d1/database/{database_id}/time_travel/bookmark",
            get(d1::time_travel::bookmark),
        ),
        (
            "/accounts/{account_id}/d1/database/{database_id}/time_travel/restore",
            post(d1::time_travel::restore),
        ),
        // Their tokens are their credentials.
        ("/d1/imports/{token}", put(d1::import::upload)),
        ("/d1/exports/{token}", get(d1::export::download)),
        ("/graphql", post(graphql::handle)),
    ]
}

/// R2, as far as wrangler and the SDKs ask for it.
fn r2_table() -> Vec<(&'static str, MethodRouter<Ctx>)> {
    vec![
        ("/accounts/{account_id}/r2/buckets", get(r2::list::handle).post(r2::create::handle)),
        ("/accounts/{account_id}/r2/buckets/{bucket_name}", get(r2::show::handle).delete(r2::delete::handle)),
        ("/accounts/{account_id}/r2/buckets/{bucket_name}/objects", get(r2::objects::list)),
        (
            "/accounts/{account_id}/r2/buckets/{bucket_name}/objects/{*object_key}",
            get(r2::objects::get).put(r2::objects::put).delete(r2::objects::delete),
        ),
    ]
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
