//! Answers, as workerd reads them.

use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use offprint_model::object::{ChecksumAlgorithm, HttpMetadata, Object, R2Refusal};
use offprint_resources::r2::cursor_of;
use offprint_store::ObjectPage;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::request::METADATA_SIZE;
use crate::bindings::reply::{Failure, done};
use crate::body::{Body, full};

const ERROR: HeaderName = HeaderName::from_static("cf-r2-error");

/// What is answered.
pub(super) enum Answer {
    Done,
    /// An object, and which of its bytes are meant.
    Object(Object, Option<(u64, u64)>),
    /// An object with some of its bytes, and what makes a body of its JSON and them.
    Body(Object, (u64, u64), Box<dyn FnOnce(Vec<u8>) -> Body + Send>),
    Page {
        page: ObjectPage,
        http: bool,
        custom: bool,
    },
    Upload(String),
    Part(String),
}

impl From<Answer> for Response<Body> {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Done => done(),
            Answer::Object(object, range) => of_json(&shown(&object, range, true, true)),
            Answer::Body(object, range, body) => {
                let Ok(json) = serde_json::to_vec(&shown(&object, Some(range), true, true)) else {
                    return Failure::new(500, "Internal Server Error").into();
                };
                let size = json.len();
                let mut response = with_size(body(json), size);
                response
                    .headers_mut()
                    .insert(header::CONTENT_LENGTH, HeaderValue::from(size as u64 + range.1));
                response
            }
            Answer::Page { page, http, custom } => of_json(&of_page(&page, http, custom)),
            Answer::Upload(id) => of_json(&json!({ "uploadId": id })),
            Answer::Part(etag) => of_json(&json!({ "etag": etag })),
        }
    }
}

/// A refusal; with the object for which a condition does not hold.
pub(super) fn refusal(refusal: &R2Refusal, object: Option<&Object>) -> Response<Body> {
    let mut response = match object {
        Some(object) => of_json(&shown(object, Some((0, object.size)), true, true)),
        None => done(),
    };
    let status = match refusal {
        // workerd takes 404 for an object that is not there.
        R2Refusal::NoSuchBucket => StatusCode::BAD_REQUEST,
        other => StatusCode::from_u16(other.status()).unwrap_or(StatusCode::BAD_REQUEST),
    };
    *response.status_mut() = status;
    let error = json!({ "version": 1, "v4code": refusal.code(), "message": refusal.to_string() });
    if let Ok(error) = HeaderValue::try_from(error.to_string()) {
        response.headers_mut().insert(ERROR, error);
    }
    response
}

fn of_json(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(json) => {
            let size = json.len();
            with_size(full(json), size)
        }
        // Our shapes have text keys and finite numbers; writing them does not fail.
        Err(_) => Failure::new(500, "Internal Server Error").into(),
    }
}

fn with_size(body: Body, size: usize) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(METADATA_SIZE, HeaderValue::from(size as u64));
    response
}

fn of_page(page: &ObjectPage, http: bool, custom: bool) -> Value {
    let objects: Vec<Value> = page.objects.iter().map(|object| shown(object, None, http, custom)).collect();
    let mut answer = json!({
        "objects": objects,
        "truncated": page.next.is_some(),
        "delimitedPrefixes": page.prefixes,
    });
    if let Some(next) = &page.next {
        answer["cursor"] = Value::String(cursor_of(next));
    }
    answer
}

fn shown(object: &Object, range: Option<(u64, u64)>, http: bool, custom: bool) -> Value {
    let mut checksums = Map::new();
    for sum in &object.checksums {
        let number = ChecksumAlgorithm::ALL.iter().position(|known| *known == sum.algorithm);
        checksums.insert(number.unwrap_or_default().to_string(), Value::String(sum.to_hex()));
    }
    let fields = object.custom.pairs().iter().filter(|_| custom);
    let fields: Vec<Value> = fields.map(|(name, value)| json!({ "k": name, "v": value })).collect();
    let mut answer = json!({
        "name": object.key.as_str(),
        "version": object.version,
        "size": object.size,
        "etag": object.etag,
        "uploaded": object.uploaded.as_micros() / 1000,
        "httpFields": if http { of_http(&object.http) } else { Value::Object(Map::new()) },
        "customFields": fields,
        "checksums": checksums,
        "storageClass": "Standard",
    });
    if let Some((offset, length)) = range {
        answer["range"] = json!({ "offset": offset, "length": length });
    }
    answer
}

fn of_http(http: &HttpMetadata) -> Value {
    let mut fields = Map::new();
    for (name, value) in [
        ("contentType", &http.content_type),
        ("contentLanguage", &http.content_language),
        ("contentDisposition", &http.content_disposition),
        ("contentEncoding", &http.content_encoding),
        ("cacheControl", &http.cache_control),
    ] {
        if let Some(value) = value {
            fields.insert(name.into(), Value::String(value.clone()));
        }
    }
    if let Some(expiry) = http.cache_expiry {
        fields.insert("cacheExpiry".into(), Value::from(expiry));
    }
    Value::Object(fields)
}
