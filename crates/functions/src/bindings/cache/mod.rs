//! The Cache API as workerd asks for it: `GET` to match, `PUT` with a whole HTTP answer as the body to put, `PURGE` to
//! delete; `caches.open(name)` says its name in a header.
//!
//! Kept in memory only and within bounds, so anything may be gone at any time, as in the real service; a restart
//! forgets all. Each project has a cache for production and one for its previews. Unlike miniflare, and like the real
//! service, an answer that says nothing of its freshness is kept for a while, which depends on its status.

mod message;
mod policy;
mod shelf;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use offprint_model::config::Environment;
use offprint_model::id::ProjectId;
use offprint_model::range::{self, Ranged};
use offprint_resources::MemoryBudget;
use offprint_store::Clock;
use offprint_wire::time::Time;

use super::reply::{Failure, done, read, with_status};
use crate::body::{Body, empty, full};
use message::Message;
use shelf::{Address, Cached, Shelves};

const STATUS: HeaderName = HeaderName::from_static("cf-cache-status");
const NAMESPACE: HeaderName = HeaderName::from_static("cf-cache-namespace");

/// The largest answer that is kept, head and body.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Answers on their way in, in all.
const MEMORY_BYTES: usize = 128 << 20;

/// Whose cache.
pub(super) type Owner = (ProjectId, Environment);

/// All caches.
pub(super) struct Caches {
    shelves: Shelves,
    memory: MemoryBudget,
}

impl Default for Caches {
    fn default() -> Self {
        Self { shelves: Shelves::default(), memory: MemoryBudget::new(MEMORY_BYTES) }
    }
}

impl Caches {
    /// Answers a request for a cache.
    pub(super) async fn answer(&self, owner: Owner, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let address = Address { owner, namespace: text(&parts.headers, &NAMESPACE), url: url_of(&parts) };
        let answered = match parts.method.as_str() {
            "GET" => Ok(self.find(&address, &parts.headers)),
            "PUT" => self.put(address, &parts.headers, body).await,
            "PURGE" => Ok(match self.shelves.remove(&address) {
                true => done(),
                false => with_status(404, empty()),
            }),
            _ => Err(Failure::new(405, "Method Not Allowed")),
        };
        answered.unwrap_or_else(Response::from)
    }

    fn find(&self, address: &Address, headers: &HeaderMap) -> Response<Body> {
        let Some(cached) = self.shelves.find(address, headers) else {
            // What `only-if-cached` is answered with (RFC 9111, 5.2.1.7).
            let mut miss = with_status(504, empty());
            miss.headers_mut().insert(STATUS, HeaderValue::from_static("MISS"));
            return miss;
        };
        shown(&cached, headers)
    }

    async fn put(&self, address: Address, asked: &HeaderMap, body: Body) -> Result<Response<Body>, Failure> {
        let Ok((bytes, _reserved)) = read(asked, body, ANSWER_BYTES_MAX, &self.memory).await? else {
            return Ok(with_status(413, empty()));
        };
        let message = Message::parse(Bytes::from(bytes));
        let message = message.ok_or_else(|| Failure::new(400, "The answer to be cached cannot be read"))?;
        let now = Clock::now();
        match policy::lifetime(&message, asked, now) {
            None => Ok(with_status(413, empty())),
            Some(lifetime) => {
                self.shelves.put(address, Cached::new(message, asked, lifetime));
                Ok(with_status(204, empty()))
            }
        }
    }
}

/// An answer of the cache: whole, in part, or that nothing has changed.
fn shown(cached: &Cached, asked: &HeaderMap) -> Response<Body> {
    let mut headers = cached.headers.clone();
    headers.insert(STATUS, HeaderValue::from_static("HIT"));
    headers.insert(header::AGE, HeaderValue::from(cached.age().as_secs()));
    if is_known(cached, asked) {
        return with(StatusCode::NOT_MODIFIED, headers, Bytes::new());
    }
    let size = cached.body.len() as u64;
    let ranged = asked.get(header::RANGE).map_or(Ranged::Whole, |header| range::of(header.as_bytes(), size));
    match ranged {
        Ranged::Whole => with(cached.status, headers, cached.body.clone()),
        Ranged::Part { start, end } => {
            let place = HeaderValue::try_from(format!("bytes {start}-{}/{size}", end - 1));
            headers.extend(place.ok().map(|place| (header::CONTENT_RANGE, place)));
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
            let cut = |at| usize::try_from(at).unwrap_or(usize::MAX);
            with(StatusCode::PARTIAL_CONTENT, headers, cached.body.slice(cut(start)..cut(end)))
        }
        Ranged::Unsatisfiable => {
            let place = HeaderValue::try_from(format!("bytes */{size}"));
            headers = HeaderMap::from_iter([(STATUS, HeaderValue::from_static("HIT"))]);
            headers.extend(place.ok().map(|place| (header::CONTENT_RANGE, place)));
            with(StatusCode::RANGE_NOT_SATISFIABLE, headers, Bytes::new())
        }
    }
}

/// Whether the condition of a request says that it has the answer already (RFC 9110, 13.2.2).
fn is_known(cached: &Cached, asked: &HeaderMap) -> bool {
    let etag = cached.headers.get(header::ETAG);
    if let (Some(wanted), Some(etag)) = (asked.get(header::IF_NONE_MATCH), etag) {
        return names(wanted.as_bytes(), etag.as_bytes());
    }
    let time = |headers: &HeaderMap, name| Time::parse_http(headers.get(name)?.to_str().ok()?);
    match (time(asked, header::IF_MODIFIED_SINCE), time(&cached.headers, header::LAST_MODIFIED)) {
        (Some(since), Some(modified)) => modified <= since,
        _ => false,
    }
}

/// Whether a list of entity tags names one, weak or strong; `*` names all.
fn names(list: &[u8], etag: &[u8]) -> bool {
    let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    list.trim_ascii() == b"*"
        || list.split(|byte| *byte == b',').any(|tag| opaque(tag.trim_ascii()) == opaque(etag.trim_ascii()))
}

fn with(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The whole URL. workerd sends it in origin form beside its host.
fn url_of(parts: &Parts) -> String {
    let host = parts.uri.authority().map(ToString::to_string);
    let host = host.or_else(|| text(&parts.headers, &header::HOST)).unwrap_or_default();
    format!("{host}{}", parts.uri.path_and_query().map_or("/", |path| path.as_str()))
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
