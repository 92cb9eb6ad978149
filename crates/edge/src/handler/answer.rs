//! An answer under way, and the headers that every answer gets.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use offprint_model::rules::redirects::RedirectStatus;

use super::Exchange;
use crate::body::EdgeBody;
use crate::site::Site;

/// Status, headers and body before the rules that hold for all answers.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: EdgeBody,
}

impl Answer {
    pub(super) fn new(status: StatusCode) -> Self {
        // Room for the headers of an asset, so that the map is allocated once.
        Self { status, headers: HeaderMap::with_capacity(12), body: EdgeBody::empty() }
    }

    /// 405 has no body and no `Allow`.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED)
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND)
    }

    pub(super) fn internal_error() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// A redirect to the canonical URL of a page.
    pub(super) fn canonical_redirect(location: &str) -> Self {
        Self::redirect(StatusCode::PERMANENT_REDIRECT, location)
    }

    /// A redirect by rule; all statuses but 308 have a line of text for a body.
    pub(super) fn rule_redirect(status: RedirectStatus, location: &str) -> Self {
        let code = StatusCode::from_u16(status.code()).unwrap_or(StatusCode::FOUND);
        let mut answer = Self::redirect(code, location);
        if answer.status != StatusCode::PERMANENT_REDIRECT && answer.status.is_redirection() {
            answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
            answer.body = EdgeBody::whole(Bytes::from(format!("Redirecting to {location}")));
        }
        answer
    }

    fn redirect(status: StatusCode, location: &str) -> Self {
        let Ok(location) = HeaderValue::from_str(location) else { return Self::internal_error() };
        let mut answer = Self::new(status);
        answer.headers.insert(LOCATION, location);
        answer
    }

    /// Decorates the answer (Cloudflare Pages serving rules, "Decorating every answer", "`_headers` at
    /// run time"). Failures of the server are left bare.
    pub(super) fn finish(mut self, site: &Site, exchange: &Exchange<'_>) -> Response<EdgeBody> {
        if !self.status.is_server_error() {
            self.headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            self.headers.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
            if self.headers.contains_key(CONTENT_TYPE) {
                self.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            }
            site.headers().apply(&exchange.url, &mut self.headers);
            // Last, so that no rule can make a missing page stick in a cache.
            if self.status == StatusCode::NOT_FOUND {
                self.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
        }
        if exchange.is_head() {
            self.drop_body();
        }
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }

    /// HEAD has the headers of GET, the length among them.
    fn drop_body(&mut self) {
        use http_body::Body as _;
        if let Some(length) = self.body.size_hint().exact().filter(|length| *length > 0) {
            self.headers.entry(http::header::CONTENT_LENGTH).or_insert(HeaderValue::from(length));
        }
        self.body = EdgeBody::empty();
    }
}
