//! Serving an asset (Cloudflare Pages serving rules, "Serving an asset").

use std::sync::Arc;

use http::header::{
    ACCEPT_RANGES, AUTHORIZATION, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK,
    RANGE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use offprint_model::encoding::Encoding;
use offprint_model::entity_tag;

use super::Exchange;
use super::answer::{Answer, AssetBody, Body};
use super::negotiate::{self, Part};
use crate::assets::Blob;
use crate::site::{Site, SiteAsset};

pub(super) const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");
const X_CF_PAGES_ANALYTICS: HeaderName = HeaderName::from_static("x-cf-pages-analytics");
const REVALIDATE: HeaderValue = HeaderValue::from_static("public, max-age=0, must-revalidate");

/// An asset with status 200, a part of it with 206, or 304 if the client has it.
pub(super) async fn serve(exchange: &Exchange<'_>, site: &Site, asset: &SiteAsset) -> Answer {
    let assets = &exchange.house.assets;
    let blob = site.blob(assets, asset);
    let Ok(coding) = negotiate::coding(exchange, asset, blob).await else {
        return Answer::new(StatusCode::NOT_ACCEPTABLE);
    };
    if is_current(exchange.headers, asset) {
        return not_modified(exchange, asset);
    }
    let is_measured = site.is_measured(assets, asset);
    // The length of a page that is changed on the way out is not the asset's.
    let has_parts = !exchange.house.is_strict && !is_measured;
    let part = if has_parts { negotiate::part(exchange, asset) } else { Part::Whole };
    let mut answer = match &part {
        Part::Whole => Answer::new(StatusCode::OK),
        Part::Of(part) => partial(part.start, part.end, asset.size),
        Part::Unsatisfiable => return unsatisfiable(asset.size),
    };
    if asset.is_html && set_link(exchange, blob, &mut answer.headers).await.is_err() {
        return Answer::internal_error();
    }
    set_headers(exchange, asset, &mut answer.headers);
    if has_parts {
        answer.headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    if is_measured {
        answer.headers.insert(X_CF_PAGES_ANALYTICS, HeaderValue::from_static("1"));
    }
    let (part, coding) = match part {
        Part::Of(part) => (Some(part), None),
        _ => (None, coding),
    };
    answer.body = body(exchange, asset, blob, coding);
    if let Body::Asset(body) = &mut answer.body {
        body.part = part;
    }
    answer
}

/// A `404.html` in place of what is missing: no entity tag, never 304, no preview header.
pub(super) async fn serve_not_found(exchange: &Exchange<'_>, page: &SiteAsset) -> Answer {
    let blob = page.plain_blob(&exchange.house.assets);
    let Ok(coding) = negotiate::coding(exchange, page, blob).await else {
        return Answer::new(StatusCode::NOT_ACCEPTABLE);
    };
    let mut answer = Answer::not_found();
    answer.headers.insert(CONTENT_TYPE, page.content_type.clone());
    answer.body = body(exchange, page, blob, coding);
    answer
}

fn set_headers(exchange: &Exchange<'_>, asset: &SiteAsset, headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, asset.content_type.clone());
    headers.insert(ETAG, asset.etag.clone());
    let is_uncacheable = exchange.headers.contains_key(AUTHORIZATION)
        || (exchange.house.is_strict && exchange.headers.contains_key(RANGE));
    if !is_uncacheable {
        headers.insert(CACHE_CONTROL, REVALIDATE);
    }
    if exchange.route.is_preview {
        headers.insert(X_ROBOTS_TAG, HeaderValue::from_static("noindex"));
    }
}

fn body(exchange: &Exchange<'_>, asset: &SiteAsset, blob: &Arc<Blob>, coding: Option<Encoding>) -> Body {
    if asset.size == 0 {
        return Body::Empty;
    }
    Body::Asset(AssetBody {
        blob: Arc::clone(blob),
        part: None,
        is_negotiated: asset.is_compressible && !exchange.house.is_strict,
        coding: coding.map(|encoding| (encoding, asset.weak_etag.clone())),
    })
}

/// One exact value, strong or weak; lists, `*` and repeated lines never match.
fn is_current(headers: &HeaderMap, asset: &SiteAsset) -> bool {
    let mut tags = headers.get_all(IF_NONE_MATCH).iter();
    match (tags.next(), tags.next()) {
        (Some(tag), None) => entity_tag::is_current(tag.as_bytes(), asset.etag.as_bytes()),
        _ => false,
    }
}

fn not_modified(exchange: &Exchange<'_>, asset: &SiteAsset) -> Answer {
    let mut answer = Answer::new(StatusCode::NOT_MODIFIED);
    if asset.is_compressible && !exchange.house.is_strict {
        answer.headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    answer
}

fn partial(start: u64, end: u64, size: u64) -> Answer {
    let mut answer = Answer::new(StatusCode::PARTIAL_CONTENT);
    // Digits, blanks and signs always make a value.
    if let Ok(range) = HeaderValue::try_from(format!("bytes {start}-{}/{size}", end - 1)) {
        answer.headers.insert(CONTENT_RANGE, range);
    }
    answer
}

fn unsatisfiable(size: u64) -> Answer {
    let mut answer = Answer::new(StatusCode::RANGE_NOT_SATISFIABLE);
    if let Ok(range) = HeaderValue::try_from(format!("bytes */{size}")) {
        answer.headers.insert(CONTENT_RANGE, range);
    }
    answer
}

/// The page cannot be read; the log says why.
struct Unreadable;

async fn set_link(
    exchange: &Exchange<'_>,
    blob: &Arc<Blob>,
    headers: &mut HeaderMap,
) -> Result<(), Unreadable> {
    let hints = match blob.known_hints() {
        Some(hints) => Some(hints),
        None => Box::pin(exchange.house.assets.hints(blob)).await.map_err(|error| {
            tracing::error!(host = exchange.url.host, path = exchange.url.path, %error, "cannot read a page");
            Unreadable
        })?,
    };
    if let Some(link) = hints.and_then(|hints| hints.link(&exchange.url)) {
        headers.insert(LINK, link);
    }
    Ok(())
}
