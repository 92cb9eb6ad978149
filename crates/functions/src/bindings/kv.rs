//! A KV namespace as workerd asks for it.
//!
//! `GET`, `PUT` and `DELETE /<key, percent-encoded>` with options in the query and metadata in a header, `GET /` for a
//! list, `POST /bulk/get` for many keys at once.

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use offprint_model::kv::{
    self, InvalidKv, KEY_BYTES_MAX, KvKey, LIST_KEYS_MAX, METADATA_BYTES_MAX, VALUE_BYTES_MAX,
};
use offprint_resources::kv::{KvEntry, KvList, KvPosition, KvWrite};
use offprint_resources::{Kv, Resources};
use offprint_store::{Clock, Resource};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::reply::{Failure, done, json, read};
use crate::body::{Body, full};

const METADATA: HeaderName = HeaderName::from_static("cf-kv-metadata");
const EXPIRATION: HeaderName = HeaderName::from_static("cf-expiration");

const CACHE_TTL_S_MIN: u64 = 30;
/// Keys of one bulk read.
const BULK_KEYS_MAX: usize = 100;
/// Values of one bulk read, in all.
const BULK_BYTES_MAX: usize = 25 << 20;
/// A hundred keys, escaped.
const BULK_REQUEST_BYTES_MAX: usize = 1 << 20;

impl From<InvalidKv> for Failure {
    fn from(invalid: InvalidKv) -> Self {
        Self::new(invalid.status(), invalid.to_string())
    }
}

/// Answers a request for a namespace.
pub(super) async fn answer(
    resources: &Resources,
    namespace: &Resource,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let kv = resources.kv();
    let answer = match (&parts.method, parts.uri.path()) {
        (&Method::GET, "/") => list(kv, namespace, &parts).await,
        (&Method::POST, "/bulk/get") => bulk_get(kv, namespace, &parts, body).await,
        (&Method::GET, _) => get(kv, namespace, &parts).await,
        (&Method::PUT, _) => put(kv, namespace, &parts, body).await,
        (&Method::DELETE, _) => delete(kv, namespace, &parts).await,
        _ => Err(Failure::new(405, "Method Not Allowed")),
    };
    answer.unwrap_or_else(Response::from)
}

async fn get(kv: &Kv, namespace: &Resource, parts: &Parts) -> Result<Response<Body>, Failure> {
    check_cache_ttl(&Query::of(parts))?;
    let Some(entry) = kv.get(namespace, key(parts)?).await? else {
        return Err(Failure::new(404, "Not Found"));
    };
    let mut response = Response::new(full(entry.value));
    if let Some(metadata) = entry.metadata {
        response.headers_mut().insert(METADATA, metadata_header(&metadata)?);
    }
    if let Some(expires) = entry.expires {
        response.headers_mut().insert(EXPIRATION, HeaderValue::from(expires));
    }
    Ok(response)
}

async fn put(kv: &Kv, namespace: &Resource, parts: &Parts, body: Body) -> Result<Response<Body>, Failure> {
    let key = key(parts)?;
    let query = Query::of(parts);
    let now_s = u64::try_from(Clock::now().as_micros() / 1_000_000).unwrap_or_default();
    let expires = kv::expiry(now_s, query.get("expiration"), query.get("expiration_ttl"))?;
    let metadata = parts.headers.get(METADATA).map(metadata_of).transpose()?;
    let read = read(&parts.headers, body, VALUE_BYTES_MAX, kv.memory()).await?;
    let (value, reserved) =
        read.map_err(|long| InvalidKv::LongValue(usize::try_from(long.length).unwrap_or(usize::MAX)))?;
    let value = reserved.attach(value);
    kv.write(namespace, vec![KvWrite::Put { key, value, metadata, expires }]).await?;
    Ok(done())
}

async fn delete(kv: &Kv, namespace: &Resource, parts: &Parts) -> Result<Response<Body>, Failure> {
    kv.write(namespace, vec![KvWrite::Delete(key(parts)?)]).await?;
    Ok(done())
}

/// A list, as workerd reads it.
#[derive(Serialize)]
struct Listing {
    keys: Vec<ListedKey>,
    list_complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

#[derive(Serialize)]
struct ListedKey {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<u64>,
    /// JSON in a text: workerd parses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
}

async fn list(kv: &Kv, namespace: &Resource, parts: &Parts) -> Result<Response<Body>, Failure> {
    let query = Query::of(parts);
    let limit = match query.get("key_count_limit") {
        None => LIST_KEYS_MAX,
        Some(text) => limit(text)?,
    };
    let prefix = query.get("prefix").unwrap_or_default().to_owned();
    if prefix.len() > KEY_BYTES_MAX {
        return Err(InvalidKv::LongKey(prefix.len()).into());
    }
    let cursor = query.get("cursor").filter(|cursor| !cursor.is_empty());
    let after = cursor.map(|cursor| KvPosition::of_cursor(cursor).ok_or(Failure::new(400, "Invalid cursor")));
    let page = kv.list(namespace, KvList { prefix, after: after.transpose()?, limit }).await?;
    json(&Listing {
        list_complete: page.next.is_none(),
        cursor: page.next.map(|next| next.cursor()),
        keys: page
            .keys
            .into_iter()
            .map(|key| ListedKey { name: key.name, expiration: key.expires, metadata: key.metadata })
            .collect(),
    })
}

fn limit(text: &str) -> Result<usize, Failure> {
    let limit = text.parse::<usize>().ok().filter(|limit| *limit > 0).ok_or_else(|| {
        Failure::new(
            400,
            format!("Invalid key_count_limit of {text}. Please specify an integer greater than 0."),
        )
    })?;
    if limit > LIST_KEYS_MAX {
        return Err(Failure::new(
            400,
            format!(
                "Invalid key_count_limit of {limit}. Please specify an integer less than {LIST_KEYS_MAX}."
            ),
        ));
    }
    Ok(limit)
}

/// The body of a bulk read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BulkGet {
    keys: Vec<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    with_metadata: bool,
}

async fn bulk_get(
    kv: &Kv,
    namespace: &Resource,
    parts: &Parts,
    body: Body,
) -> Result<Response<Body>, Failure> {
    let read = read(&parts.headers, body, BULK_REQUEST_BYTES_MAX, kv.memory()).await?;
    let (bytes, _reserved) = read.map_err(|_| Failure::new(413, "The request is too long"))?;
    let asked: BulkGet = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::new(400, format!("Invalid request: {error}")))?;
    let as_json = match asked.kind.as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => {
            return Err(Failure::new(
                400,
                format!("\"{other}\" is not a valid type. Use \"json\" or \"text\""),
            ));
        }
    };
    match asked.keys.len() {
        0 => return Err(Failure::new(400, "You must request a minimum of 1 key")),
        1..=BULK_KEYS_MAX => {}
        _ => return Err(Failure::new(400, format!("You can request a maximum of {BULK_KEYS_MAX} keys"))),
    }
    let (mut found, mut bytes) = (InOrder(Vec::new()), 0);
    for name in asked.keys {
        let entry = kv.get(namespace, KvKey::parse(&name)?).await?;
        bytes += entry.as_ref().map_or(0, |entry| entry.value.len());
        if bytes > BULK_BYTES_MAX {
            return Err(Failure::new(413, "Total size of request exceeds the limit of 25MB"));
        }
        let value = entry.map(|entry| bulk_value(&entry, as_json, asked.with_metadata)).transpose()?;
        found.0.push((name, value));
    }
    json(&found)
}

/// An object whose members stay in the order in which they were asked for: a Function sees them in it.
struct InOrder(Vec<(String, Option<Value>)>);

impl Serialize for InOrder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn bulk_value(entry: &KvEntry, as_json: bool, with_metadata: bool) -> Result<Value, Failure> {
    let value = if as_json {
        serde_json::from_slice(&entry.value).map_err(|_| {
            Failure::new(400, "At least one of the requested keys corresponds to a non-json value")
        })?
    } else {
        Value::String(String::from_utf8_lossy(&entry.value).into_owned())
    };
    if !with_metadata {
        return Ok(value);
    }
    let metadata: Option<Value> =
        entry.metadata.as_deref().and_then(|metadata| serde_json::from_str(metadata).ok());
    Ok(serde_json::json!({ "value": value, "metadata": metadata }))
}

/// The key of the path. What is not UTF-8 is no key.
fn key(parts: &Parts) -> Result<KvKey, Failure> {
    let path = parts.uri.path();
    let encoded = path.strip_prefix('/').unwrap_or(path);
    let text = percent_decode_str(encoded).decode_utf8();
    let text = text.map_err(|_| Failure::new(400, "Could not URL-decode key name"))?;
    Ok(KvKey::parse(&text)?)
}

/// How long an edge of the real service may answer from its cache. Here every read sees what was written, so it only
/// has to be legal.
fn check_cache_ttl(query: &Query) -> Result<(), Failure> {
    let Some(text) = query.get("cache_ttl") else { return Ok(()) };
    match text.parse::<u64>() {
        Ok(CACHE_TTL_S_MIN..) => Ok(()),
        _ => Err(Failure::new(
            400,
            format!("Invalid cache_ttl of {text}. Cache TTL must be at least {CACHE_TTL_S_MIN}."),
        )),
    }
}

/// Metadata from its header, which holds JSON in UTF-8.
fn metadata_of(header: &HeaderValue) -> Result<String, Failure> {
    if header.len() > METADATA_BYTES_MAX {
        return Err(InvalidKv::LongMetadata(header.len()).into());
    }
    let text = std::str::from_utf8(header.as_bytes()).ok();
    let json = text.filter(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    json.map(str::to_owned).ok_or_else(|| Failure::new(400, "Metadata must be valid JSON"))
}

/// Metadata as a header. Characters that a header cannot hold stand in texts of JSON, where they can be escaped.
fn metadata_header(json: &str) -> Result<HeaderValue, Failure> {
    let escaped: String = json
        .chars()
        .map(|c| if c.is_ascii_control() { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() })
        .collect();
    HeaderValue::from_bytes(escaped.as_bytes()).map_err(|error| Failure::internal(&error))
}

/// The parameters of a query.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(parts: &Parts) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let decode = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        };
        Self(query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
