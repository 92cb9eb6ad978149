//! Serving an asset (Cloudflare Pages serving rules, "Serving an asset").

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH,
    LINK, RANGE,
};
use http::{HeaderName, StatusCode};

use super::answer::Answer;
use super::{Exchange, negotiate};
use crate::asset_cache::{AssetCache, AssetContent};
use crate::body::EdgeBody;
use crate::site::SiteAsset;

const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");

/// An asset with status 200, or 304 if the client has it.
pub(super) async fn serve(assets: &AssetCache, exchange: &Exchange<'_>, asset: &SiteAsset) -> Answer {
    if !negotiate::accepts_identity(exchange.headers) {
        return Answer::new(StatusCode::NOT_ACCEPTABLE);
    }
    if is_current(exchange.headers, &asset.etag) {
        return Answer::new(StatusCode::NOT_MODIFIED);
    }
    let Ok(content) = load(assets, exchange, asset).await else { return Answer::internal_error() };
    let mut answer = Answer::new(StatusCode::OK);
    answer.headers.insert(CONTENT_TYPE, asset.content_type.clone());
    answer.headers.insert(ETAG, asset.etag.clone());
    if !exchange.headers.contains_key(AUTHORIZATION) && !exchange.headers.contains_key(RANGE) {
        let revalidate = HeaderValue::from_static("public, max-age=0, must-revalidate");
        answer.headers.insert(CACHE_CONTROL, revalidate);
    }
    if exchange.is_preview {
        answer.headers.insert(X_ROBOTS_TAG, HeaderValue::from_static("noindex"));
    }
    if let Some(AssetContent::Held(held)) = &content
        && asset.is_html
        && let Some(link) = held.link(&exchange.url)
    {
        answer.headers.insert(LINK, link);
    }
    set_body(&mut answer, content, asset);
    answer
}

/// A `404.html` in place of what is missing: no entity tag, never 304, no preview header.
pub(super) async fn serve_not_found(
    assets: &AssetCache,
    exchange: &Exchange<'_>,
    page: &SiteAsset,
) -> Answer {
    if !negotiate::accepts_identity(exchange.headers) {
        return Answer::new(StatusCode::NOT_ACCEPTABLE);
    }
    let Ok(content) = load(assets, exchange, page).await else { return Answer::internal_error() };
    let mut answer = Answer::not_found();
    answer.headers.insert(CONTENT_TYPE, page.content_type.clone());
    set_body(&mut answer, content, page);
    answer
}

/// One exact value, strong or weak; lists, `*` and repeated lines never match.
fn is_current(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let mut tags = headers.get_all(IF_NONE_MATCH).iter();
    match (tags.next(), tags.next()) {
        (Some(tag), None) => {
            let tag = tag.as_bytes();
            tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes()
        }
        _ => false,
    }
}

/// The blob store failed; the log says how.
struct Unreadable;

/// The content to send; `None` where only its length is asked for.
async fn load(
    assets: &AssetCache,
    exchange: &Exchange<'_>,
    asset: &SiteAsset,
) -> Result<Option<AssetContent>, Unreadable> {
    // The hints of a page are in its text; for all else HEAD needs no bytes.
    if asset.size == 0 || (exchange.is_head() && !asset.is_html) {
        return Ok(None);
    }
    assets.content(&asset.blob, asset.size).await.map(Some).map_err(|error| {
        tracing::error!(host = exchange.url.host, path = exchange.url.path, %error, "cannot read an asset");
        Unreadable
    })
}

fn set_body(answer: &mut Answer, content: Option<AssetContent>, asset: &SiteAsset) {
    answer.body = match content {
        Some(AssetContent::Held(held)) => EdgeBody::whole(held.bytes().clone()),
        Some(AssetContent::File(file)) => EdgeBody::stream(file, asset.size),
        None => {
            if asset.size > 0 {
                answer.headers.insert(CONTENT_LENGTH, HeaderValue::from(asset.size));
            }
            EdgeBody::empty()
        }
    };
}
