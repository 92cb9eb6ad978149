//! Which representation of an asset answers: compressed or plain, whole or a part.

use std::ops::Range;

use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, IF_RANGE, RANGE};
use http::{HeaderMap, Method};
use offprint_model::accept_encoding::{Choice, accepts_identity_naively, choose_lines};
use offprint_model::encoding::{Encoding, EncodingSet};
use offprint_model::range::{self, Ranged};

use super::Exchange;
use crate::assets::Blob;
use crate::site::SiteAsset;

/// The client accepts no form that there is.
pub(super) struct NotAcceptable;

/// The coding to send an asset in; `None` for the plain form.
///
/// Strict: Pages itself sends plain bytes (its network compresses them later) and only asks whether those
/// are acceptable (Cloudflare Pages serving rules, "Serving an asset").
pub(super) async fn coding(
    exchange: &Exchange<'_>,
    asset: &SiteAsset,
    blob: &Blob,
) -> Result<Option<Encoding>, NotAcceptable> {
    let lines = || exchange.headers.get_all(ACCEPT_ENCODING).iter().map(http::HeaderValue::as_bytes);
    if exchange.house.is_strict {
        return if accepts_identity_naively(lines()) { Ok(None) } else { Err(NotAcceptable) };
    }
    let available = if asset.is_compressible && lines().next().is_some() {
        exchange.house.assets.encodings(blob).await
    } else {
        EncodingSet::EMPTY
    };
    match choose_lines(lines(), available) {
        Choice::Identity => Ok(None),
        Choice::Coded(encoding) => Ok(Some(encoding)),
        Choice::NotAcceptable => Err(NotAcceptable),
    }
}

/// Whether the site has settled the form with its own `_headers`: the asset is compressed already, or
/// nobody on the way may transform it.
pub(super) fn is_settled(headers: &HeaderMap) -> bool {
    let no_transform = |value: &http::HeaderValue| {
        value.to_str().is_ok_and(|value| value.to_ascii_lowercase().contains("no-transform"))
    };
    headers.contains_key(CONTENT_ENCODING) || headers.get_all(CACHE_CONTROL).iter().any(no_transform)
}

/// The part of an asset that is asked for.
pub(super) enum Part {
    Whole,
    Of(Range<u64>),
    Unsatisfiable,
}

/// The part that a request asks for (RFC 9110, 14.2): of `GET` only, and only if the client's older part is
/// of the same bytes.
pub(super) fn part(exchange: &Exchange<'_>, asset: &SiteAsset) -> Part {
    let Some(wanted) = exchange.headers.get(RANGE) else { return Part::Whole };
    if *exchange.method != Method::GET {
        return Part::Whole;
    }
    let is_same =
        |condition: &http::HeaderValue| range::if_range_holds(condition.as_bytes(), asset.etag.as_bytes());
    if !exchange.headers.get(IF_RANGE).is_none_or(is_same) {
        return Part::Whole;
    }
    match range::of(wanted.as_bytes(), asset.size) {
        Ranged::Whole => Part::Whole,
        Ranged::Part { start, end } => Part::Of(start..end),
        Ranged::Unsatisfiable => Part::Unsatisfiable,
    }
}
