//! What happens to every request: an id, a span, a net under panics; and a POST with an `Idempotency-Key` is answered
//! once.

use std::any::Any;
use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, Method, StatusCode, header};
use offprint_model::secret::Secret;
use offprint_store::{Reach, Repeated};
use offprint_wire::deploys::problem::ProblemCode;
use tower::service_fn;
use tracing::Instrument;

use super::caller::authenticate;
use super::problem::{Problem, Result};
use super::table::table;
use crate::front::{self, X_REQUEST_ID};
use crate::openapi;
use crate::state::{Context, Ctx};

const PREFIX: &str = "/api";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Characters of a key, at the most.
const KEY_CHARS_MAX: usize = 255;
/// The longest body that is compared, and the longest answer that is kept.
const COMPARED_BYTES_MAX: usize = 36 * 1024 * 1024;

/// Everything below `/api`, and the description of it.
pub(crate) fn router(ctx: &Ctx) -> Router {
    let inner = front::router_of(table())
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_route)
        .layer(from_fn_with_state(ctx.clone(), once))
        .layer(from_fn(explain))
        .with_state(ctx.clone());
    let front = service_fn(move |request: Request| {
        let inner = inner.clone();
        async move { Ok::<_, Infallible>(front::around(inner, request, after_panic).await) }
    });
    Router::new()
        .nest_service(PREFIX, front)
        .route("/openapi.json", get(openapi::document))
        .route("/api-docs", get(openapi::page))
}

async fn no_route() -> Problem {
    Problem::new(ProblemCode::NotFound, "Nothing is at this path; see /openapi.json for what is where.")
}

async fn method_not_allowed() -> Problem {
    Problem::new(ProblemCode::MethodNotAllowed, "The path takes other methods; see /openapi.json.")
}

fn after_panic(_: &(dyn Any + Send), request_id: &HeaderValue) -> Response {
    let problem = Problem::new(ProblemCode::Internal, "The server made a mistake.");
    problem.answer(request_id.to_str().unwrap_or_default())
}

/// Writes the body of a refusal.
async fn explain(request: Request, next: Next) -> Response {
    let id = request.headers().get(X_REQUEST_ID).cloned();
    let response = next.run(request).await;
    match response.extensions().get::<Problem>() {
        None => response,
        Some(problem) => problem.answer(id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default()),
    }
}

/// Answers a POST with a key as it was answered the first time.
async fn once(State(ctx): State<Ctx>, request: Request, next: Next) -> Response {
    let key = request.headers().get(IDEMPOTENCY_KEY).cloned();
    match key {
        Some(key) if request.method() == Method::POST => {
            // In a task: whoever lost the connection and calls again shall find the answer, not a call without an end.
            let call = async move { answer_once(&ctx, &key, request, next).await };
            match tokio::spawn(call.in_current_span()).await {
                Ok(answered) => answered.unwrap_or_else(IntoResponse::into_response),
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(error) => Problem::internal(&error).into_response(),
                },
            }
        }
        _ => next.run(request).await,
    }
}

async fn answer_once(ctx: &Context, key: &HeaderValue, request: Request, next: Next) -> Result<Response> {
    let key = key.to_str().ok().filter(|key| (1..=KEY_CHARS_MAX).contains(&key.len()));
    let key = key.ok_or_else(|| Problem::at("Idempotency-Key", "must have 1 to 255 visible characters"))?;
    let (parts, body) = request.into_parts();
    let reach = authenticate(ctx, &parts).await?;
    let bytes = to_bytes(body, COMPARED_BYTES_MAX).await;
    let bytes = bytes.map_err(|_| Problem::new(ProblemCode::PayloadTooLarge, "The body is too long."))?;
    let print = print_of(parts.uri.path(), &bytes);
    if let Repeated::Answered { status, body } = ctx.store.begin_repeatable(&reach, key, print).await? {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let json = HeaderValue::from_static("application/json");
        return Ok((status, [(header::CONTENT_TYPE, json)], body.expose().clone()).into_response());
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    Ok(keep(ctx, &reach, key, response).await)
}

/// Keeps an answer for the next call with its key. A fault of ours is not kept: the call may be made again.
async fn keep(ctx: &Context, reach: &Reach, key: &str, response: Response) -> Response {
    let explained = match response.extensions().get::<Problem>() {
        Some(problem) => problem.answer(""),
        None => response,
    };
    let (parts, body) = explained.into_parts();
    let bytes = to_bytes(body, COMPARED_BYTES_MAX).await.unwrap_or_default();
    let text = String::from_utf8(bytes.to_vec()).ok();
    let answer = text
        .filter(|_| !parts.status.is_server_error())
        .map(|text| (parts.status.as_u16(), Secret::new(text)));
    if let Err(error) = ctx.store.remember_answer(reach, key, answer).await {
        tracing::error!(%error, "cannot keep the answer of a call with a key");
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn print_of(path: &str, body: &[u8]) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    context.update(path.as_bytes());
    context.update(&[0]);
    context.update(body);
    let mut print = [0; 32];
    print.copy_from_slice(context.finish().as_ref());
    print
}
