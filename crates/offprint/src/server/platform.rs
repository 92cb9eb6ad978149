//! What the listener answers besides sites: the APIs, health, metrics, and a front page that says where
//! to go.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use offprint_functions::FunctionRuntime;
use offprint_model::time::Timestamp;
use offprint_store::{Clock, Store};

use super::metrics::{self, Metrics};

/// Health, metrics, front page, and a word about every other path. The process counts as started now.
pub(crate) fn router(
    store: Store,
    counters: Arc<Metrics>,
    functions: Arc<dyn FunctionRuntime>,
    public_url: &str,
) -> Router {
    let page = FRONT_PAGE.replace("{url}", public_url);
    let started = Clock::now();
    Router::new()
        .route("/", get(|| async { Html(page) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(move || async move { tell(&counters, &*functions, started) }))
        .fallback(nowhere)
        .with_state(store)
}

/// Nothing is below any other path: most likely a base URL lacks its path.
async fn nowhere() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "Nothing is here. The Pages API is at /client/v4, the Deploys API at /api.\n")
}

/// Ready means that the store answers.
async fn ready(State(store): State<Store>) -> impl IntoResponse {
    match store.ping().await {
        Ok(()) => (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")], "ready\n"),
        Err(error) => {
            tracing::error!(%error, "the store does not answer");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                [(header::CACHE_CONTROL, "no-store")],
                "the store does not answer\n",
            )
        }
    }
}

/// Says nothing about any site or client, yet how much there is to do: a proxy may keep it to itself.
fn tell(
    counters: &Metrics,
    functions: &dyn FunctionRuntime,
    started: Timestamp,
) -> impl IntoResponse + use<> {
    let headers = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")];
    (headers, counters.text(functions.live_processes(), functions.counts(), started))
}

const FRONT_PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Offprint</title>
<style>
  :root { color-scheme: light dark; font: 17px/1.6 system-ui, sans-serif }
  body { max-width: 42rem; margin: 12vh auto; padding: 0 1.5rem }
  h1 { font: 500 3rem/1.1 ui-serif, Georgia, serif; letter-spacing: -.02em }
  pre { padding: 1rem; border: 1px solid #8884; border-radius: .5rem; overflow-x: auto }
</style>
<h1>Pages you own.</h1>
<p>This is an Offprint server. It speaks the Cloudflare Pages API at <code>{url}/client/v4</code> and the
<a href="/api-docs">Deploys API</a> at <code>{url}/api</code>.</p>
<pre>export CLOUDFLARE_API_BASE_URL={url}/client/v4
export CLOUDFLARE_API_TOKEN=…
npx wrangler pages deploy ./dist --project-name my-site</pre>
"#;
