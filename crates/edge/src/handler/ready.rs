//! Makes answers ready: the head of an answer is the ordinary way's, asked in the plainest words.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, DATE, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use offprint_model::request_path::{RequestUrl, decode_path};
use offprint_model::resolve::{NotFound, Resolution, not_found, resolve};

use super::answer::Answer;
use super::{Exchange, House, Missing, content, earlier};
use crate::assets::{Blob, Form, Hints};
use crate::ready::{Head, Place, PlainRequest, Ready, ReadyAsset, Variety};
use crate::site::{Site, SiteAsset};
use crate::table::SiteRoute;

/// What a path leads to where no rule is about it.
#[derive(Clone, Copy)]
enum Found<'s> {
    Asset(&'s SiteAsset),
    /// Nothing; the site is a single-page app.
    SinglePage(&'s SiteAsset),
    /// Nothing, and a page says so.
    NotFoundPage(&'s SiteAsset),
}

/// Makes the answer to a request ready. Does nothing where it cannot be, or where something that it needs is
/// not in memory.
pub(crate) fn prepare(
    house: &House,
    place: &Place<'_>,
    route: SiteRoute<'_>,
    url: RequestUrl<'_>,
    request: &PlainRequest<'_>,
) -> Option<()> {
    let site = place.site.held()?;
    // A path that must be changed before it is looked at is not worth it.
    if url.path != place.path || site.reaches_worker(url.path) || site.redirects().find(&url).is_some() {
        return None;
    }
    let path = decode_path(url.path);
    let found = find(&site, &path)?;
    let made = house.ready.find(place);
    let ready = match &*made {
        Some(made) => Arc::clone(made),
        None => Arc::new(Ready::new(*place, found.as_ready(house, &site, &path))),
    };
    let variety = ready.asset.variety(request, &route, house)?;
    if ready.head(variety).is_some() {
        return None;
    }
    let mut headers = HeaderMap::new();
    match variety {
        Variety::Whole(None) => {}
        Variety::Whole(Some(coding)) => {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(coding.token()));
        }
        Variety::NotModified => {
            headers.insert(IF_NONE_MATCH, ready.asset.etag.clone()?);
        }
    }
    let exchange = Exchange {
        method: &Method::GET,
        url,
        headers: &headers,
        route,
        site: &site,
        missing: Missing::Answered,
        house,
    };
    let head = head(&exchange, found)?;
    house.ready.put(place, ready.with(variety, head));
    Some(())
}

fn find<'s>(site: &'s Site, path: &str) -> Option<Found<'s>> {
    match resolve(path, |name| site.asset(name)) {
        Resolution::Serve(asset) => Some(Found::Asset(asset)),
        Resolution::Redirect(_) => None,
        Resolution::Missing => match not_found(path, |name| site.asset(name)) {
            NotFound::Page(page) => Some(Found::NotFoundPage(page)),
            NotFound::SinglePage(index) => Some(Found::SinglePage(index)),
            NotFound::Empty => None,
        },
    }
}

impl<'s> Found<'s> {
    fn as_ready(self, house: &House, site: &Site, path: &str) -> ReadyAsset {
        let (asset, has_etag, is_substitute) = match self {
            Self::Asset(asset) => (asset, true, false),
            Self::SinglePage(asset) => (asset, true, true),
            Self::NotFoundPage(asset) => (asset, false, true),
        };
        ReadyAsset {
            blob: Arc::clone(self.blob(house, site)),
            etag: has_etag.then(|| asset.etag.clone()),
            is_compressible: asset.is_compressible,
            is_substitute,
            may_be_earlier: is_substitute && earlier::may_keep(house, path),
        }
    }

    /// The bytes as the ordinary way sends them.
    fn blob(self, house: &House, site: &Site) -> &'s Arc<Blob> {
        match self {
            Self::Asset(asset) | Self::SinglePage(asset) => site.blob(&house.assets, asset),
            Self::NotFoundPage(page) => page.plain_blob(&house.assets),
        }
    }
}

/// The head of the ordinary answer to a request.
fn head(exchange: &Exchange<'_>, found: Found<'_>) -> Option<Head> {
    let mut answer = match found {
        Found::Asset(asset) | Found::SinglePage(asset) => {
            let hints = found.blob(exchange.house, exchange.site).known_hints();
            // A header that depends on the rest of the URL is the ordinary way's.
            if asset.is_html && !matches!(hints, Some(Hints::None | Hints::Constant(_))) {
                return None;
            }
            at_once(content::serve(exchange, exchange.site, asset))?
        }
        Found::NotFoundPage(page) => at_once(content::serve_not_found(exchange, page))?,
    };
    let (form, content_length) = match (answer.complete(exchange), answer.status) {
        (None, StatusCode::NOT_MODIFIED) => (Form::Plain, None),
        (Some(wanted), StatusCode::OK | StatusCode::NOT_FOUND) => {
            (wanted.form, Some(wanted.blob.bytes(wanted.form)?.len()))
        }
        _ => return None,
    };
    let mut lines = lines(&answer)?;
    let fields_end = lines.len();
    if let Some(length) = content_length {
        lines.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
    }
    Some(Head { status: answer.status, lines: lines.into(), fields_end, form })
}

/// What a future yields without waiting for anything.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Status line and headers as they are sent. `None`: one of them is the listener's.
fn lines(answer: &Answer) -> Option<Vec<u8>> {
    if [DATE, CONTENT_LENGTH, CONNECTION].iter().any(|name| answer.headers.contains_key(name)) {
        return None;
    }
    let mut lines =
        format!("HTTP/1.1 {} {}\r\n", answer.status.as_str(), answer.status.canonical_reason()?).into_bytes();
    for (name, value) in &answer.headers {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            lines.extend_from_slice(piece);
        }
    }
    Some(lines)
}
