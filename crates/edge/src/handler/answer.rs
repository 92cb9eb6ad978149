//! An answer under way, and the headers that every answer gets.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    LOCATION, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use offprint_model::encoding::Encoding;
use offprint_model::rules::redirects::RedirectStatus;
use offprint_store::StoreError;

use super::{Exchange, negotiate};
use crate::assets::{Assets, Blob, Content, Form};
use crate::body::EdgeBody;
use crate::edge::{CacheOutcome, Served};

/// Status, headers and body before the rules that hold for all answers.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

/// What follows the headers.
pub(super) enum Body {
    Empty,
    Text(Bytes),
    Asset(AssetBody),
}

/// The bytes of an asset, not yet fetched.
pub(super) struct AssetBody {
    pub(super) blob: Arc<Blob>,
    /// The part that is sent; always of the plain form.
    pub(super) part: Option<Range<u64>>,
    /// Whether another client may get another form.
    pub(super) is_negotiated: bool,
    /// The coding that the client likes best, and the entity tag of that form.
    pub(super) coding: Option<(Encoding, HeaderValue)>,
}

/// The bytes of an asset that an answer is still to get.
pub(super) struct Wanted {
    pub(super) blob: Arc<Blob>,
    pub(super) form: Form,
    pub(super) part: Option<Range<u64>>,
}

impl Answer {
    pub(super) fn new(status: StatusCode) -> Self {
        // Room for the headers of an asset, so that the map is allocated once.
        Self { status, headers: HeaderMap::with_capacity(12), body: Body::Empty }
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
            answer.body = Body::Text(Bytes::from(format!("Redirecting to {location}")));
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
    /// run time"), and says which bytes of an asset are to follow. Failures of the server are left bare.
    pub(super) fn complete(&mut self, exchange: &Exchange<'_>) -> Option<Wanted> {
        let has_rules = !self.status.is_server_error() && self.decorate(exchange);
        if !matches!(self.body, Body::Asset(_)) {
            return None;
        }
        let Body::Asset(body) = std::mem::replace(&mut self.body, Body::Empty) else { return None };
        let form = self.settle_form(&body, has_rules);
        if exchange.is_head()
            && let Some(length) = Assets::length(&body.blob, form)
        {
            self.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            return None;
        }
        Some(Wanted { blob: body.blob, form, part: body.part })
    }

    /// The answer without an asset's bytes.
    pub(super) fn served(mut self, exchange: &Exchange<'_>) -> Served {
        let body = match std::mem::replace(&mut self.body, Body::Empty) {
            Body::Text(text) => EdgeBody::whole(text),
            Body::Empty | Body::Asset(_) => EdgeBody::empty(),
        };
        self.into_served(exchange, body, CacheOutcome::None)
    }

    /// The answer with the bytes that it asked for.
    pub(super) fn served_with(self, exchange: &Exchange<'_>, content: Result<Content, StoreError>) -> Served {
        match content {
            Ok(Content { body, cache }) => self.into_served(exchange, body, cache),
            Err(error) => {
                let (host, path) = (exchange.url.host, exchange.url.path);
                tracing::error!(host, path, %error, "cannot read an asset");
                Self::internal_error().served(exchange)
            }
        }
    }

    /// Says whether the site had something to say.
    fn decorate(&mut self, exchange: &Exchange<'_>) -> bool {
        let headers = &mut self.headers;
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
        if headers.contains_key(CONTENT_TYPE) {
            headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
        let has_rules = exchange.site.headers().apply(&exchange.url, headers);
        // Last, so that no rule can make a missing page stick in a cache.
        if self.status == StatusCode::NOT_FOUND {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        has_rules
    }

    /// Settles in which form the bytes are sent, now that the site has said all it has to say.
    fn settle_form(&mut self, body: &AssetBody, has_rules: bool) -> Form {
        if !body.is_negotiated || (has_rules && negotiate::is_settled(&self.headers)) {
            return Form::Plain;
        }
        if has_rules {
            add_vary(&mut self.headers);
        } else {
            self.headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        let Some((encoding, weak_etag)) = &body.coding else { return Form::Plain };
        self.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.token()));
        // A tag that the site has set itself is left as it is.
        let is_ours = |tag: &&mut HeaderValue| weak_etag.as_bytes().ends_with(tag.as_bytes());
        if let Some(tag) = self.headers.get_mut(ETAG).filter(is_ours) {
            *tag = weak_etag.clone();
        }
        Form::Coded(*encoding)
    }

    fn into_served(mut self, exchange: &Exchange<'_>, mut body: EdgeBody, cache: CacheOutcome) -> Served {
        if exchange.is_head() {
            body = self.without_body(&body);
        }
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        Served { response, cache }
    }

    /// HEAD has the headers of GET, the length among them.
    fn without_body(&mut self, body: &EdgeBody) -> EdgeBody {
        use http_body::Body as _;
        if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
            self.headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from(length));
        }
        EdgeBody::empty()
    }
}

fn add_vary(headers: &mut HeaderMap) {
    let names_it = |value: &HeaderValue| {
        let names = value.to_str().unwrap_or_default().split(',');
        names.map(str::trim).any(|name| name == "*" || name.eq_ignore_ascii_case("accept-encoding"))
    };
    if !headers.get_all(VARY).iter().any(names_it) {
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}
