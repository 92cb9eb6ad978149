//! What happens to every request, before and after its endpoint: a request id, a span, one log line, a
//! net under panics, and a tidied path.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use futures_util::FutureExt;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Uri};
use offprint_wire::error_code::ErrorCode;
use tower::ServiceExt;
use tracing::{Instrument, Span, field, info_span};
use uuid::Uuid;

use crate::error::ApiError;
use crate::linger::lingering;
use crate::state::Ctx;

/// Where the Pages API lives.
pub(crate) const PREFIX: &str = "/client/v4";

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers a request of the Pages API. `inner` knows the paths below the prefix.
pub(crate) async fn answer(inner: Router, request: Request) -> Response {
    let creates = request.method() == Method::POST && creates_deployment(request.uri().path());
    around(inner, tidy(request), |panic, _| after_panic(panic, creates)).await
}

/// Answers a request, whose header `x-request-id` is then the answer's.
///
/// The span has the request's method, path template, status and time, and never a header or a body:
/// those hold credentials and secrets.
pub(crate) async fn around(
    inner: Router,
    mut request: Request,
    after_panic: impl FnOnce(&(dyn Any + Send), &HeaderValue) -> Response,
) -> Response {
    let id = request_id(&request);
    request.headers_mut().insert(X_REQUEST_ID, id.clone());
    let span = info_span!(
        "request",
        request.id = id.to_str().unwrap_or_default(),
        http.method = %request.method(),
        http.route = field::Empty,
        http.status = field::Empty,
        duration_ms = field::Empty,
    );
    let work = async {
        let started = tokio::time::Instant::now();
        let inner = inner.oneshot(lingering(request));
        let response = match AssertUnwindSafe(inner).catch_unwind().await {
            Ok(answered) => answered.unwrap_or_else(|never| match never {}),
            Err(panic) => {
                tell(panic.as_ref());
                after_panic(panic.as_ref(), &id)
            }
        };
        let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
        Span::current().record("http.status", response.status().as_u16()).record("duration_ms", duration_ms);
        tracing::info!("answered");
        response
    };
    let mut response = work.instrument(span).await;
    response.headers_mut().insert(X_REQUEST_ID, id);
    response
}

/// A router of a table of contents.
pub(crate) fn router_of(table: Vec<(&'static str, MethodRouter<Ctx>)>) -> Router<Ctx> {
    let routes = table.into_iter();
    let router = routes.fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    router.route_layer(from_fn(note_route))
}

/// Notes the path template; to be laid around the routes, where it is known.
async fn note_route(path: MatchedPath, request: Request, next: Next) -> Response {
    Span::current().record("http.route", path.as_str());
    next.run(request).await
}

/// The client's own id, if it is short and visible ASCII, so that it can be followed through its logs and
/// ours; else a new one.
fn request_id(request: &Request) -> HeaderValue {
    let usable =
        |id: &&HeaderValue| (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
    match request.headers().get(X_REQUEST_ID).filter(usable) {
        Some(id) => id.clone(),
        None => HeaderValue::try_from(Uuid::new_v4().to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("-")),
    }
}

/// Collapses the slashes after the prefix, which is off already: wrangler joins the base URL and a path
/// without looking, so a base with a trailing slash makes two (Pages API, "Base URL").
fn tidy(mut request: Request) -> Request {
    let whole = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let rest = whole.trim_start_matches('/');
    if whole.len() == rest.len() + 1 {
        return request;
    }
    let tidied = PathAndQuery::try_from(format!("/{rest}")).ok().and_then(|path| {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).ok()
    });
    if let Some(uri) = tidied {
        *request.uri_mut() = uri;
    }
    request
}

fn creates_deployment(path: &str) -> bool {
    path.ends_with("/deployments") || path.ends_with("/retry")
}

fn tell(panic: &(dyn Any + Send)) {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("?"), "a handler panicked");
}

/// wrangler sends a deployment again on code 8000000, so that code is for calls that stored nothing. A
/// panic after a deployment may have been stored has a code of its own.
fn after_panic(_: &(dyn Any + Send), creates: bool) -> Response {
    let code = if creates { ErrorCode::OutcomeUnknown } else { ErrorCode::Unknown };
    ApiError::from(code).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::routing::get;
    use http::StatusCode;

    fn request(uri: &str) -> Request {
        Request::builder().uri(uri).body(Body::empty()).unwrap()
    }

    #[test]
    fn slashes_after_the_prefix_collapse() {
        for (path, expected) in [
            ("/accounts?page=1", "/accounts?page=1"),
            ("//accounts", "/accounts"),
            ("/", "/"),
            ("http://h///a//b?c=//", "/a//b?c=//"),
        ] {
            let tidied = tidy(request(path));
            assert_eq!(tidied.uri().path_and_query().unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_enveloped_500_with_a_request_id() {
        let inner = Router::new().route("/boom", get(async || -> &'static str { panic!("boom") }));
        let mut request = request("/boom");
        request.headers_mut().insert("x-request-id", HeaderValue::from_static("abc"));
        let response = answer(inner, request).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["x-should-retry"], "false");
        assert_eq!(response.headers()["x-request-id"], "abc");
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        assert!(std::str::from_utf8(&body).unwrap().contains("\"code\":8000000"));
    }

    #[tokio::test]
    async fn a_panic_while_deploying_does_not_invite_a_second_deployment() {
        let panics = axum::routing::post(async || -> &'static str { panic!("boom") });
        let inner = Router::new().route("/deployments", panics);
        let mut request = request("/deployments");
        *request.method_mut() = Method::POST;
        let response = answer(inner, request).await;
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        assert!(std::str::from_utf8(&body).unwrap().contains("\"code\":8100000"));
    }

    #[test]
    fn a_strange_request_id_is_replaced() {
        let mut request = request("/");
        request.headers_mut().insert(X_REQUEST_ID, HeaderValue::from_static("a b"));
        assert_ne!(request_id(&request), "a b");
    }
}
