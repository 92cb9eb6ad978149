//! Answers to workerd, and what all kinds of bindings do with bodies.
//!
//! workerd puts the reason phrase of a failure into the message of the exception that a Function sees, so a failure has
//! its words there.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::ext::ReasonPhrase;
use offprint_resources::{MemoryBudget, Reserved, ResourceError};

use crate::body::{Body, empty, full};

/// How long a Function may be silent in the middle of a body.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Why a request of a Function is refused.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: u16,
    /// One line, for the site's author.
    pub(super) text: String,
}

impl Failure {
    pub(super) fn new(status: u16, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    /// A fault of ours: the log has the cause.
    pub(super) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            cause = format!("{cause}: {error}");
            source = error.source();
        }
        tracing::error!(error = cause, "a binding failed");
        Self::new(500, "Internal Server Error")
    }
}

impl From<ResourceError> for Failure {
    fn from(error: ResourceError) -> Self {
        match error {
            // workerd would take 404 and 410 for a key that is not there.
            ResourceError::Gone => Self::new(400, "the resource was deleted"),
            other => Self::internal(&other),
        }
    }
}

impl From<Failure> for Response<Body> {
    fn from(failure: Failure) -> Self {
        let mut response = with_status(failure.status, empty());
        // Characters that the line cannot hold are left out, before they break it.
        let line: String = failure.text.chars().filter(|c| matches!(c, ' '..='~')).collect();
        if let Ok(reason) = ReasonPhrase::try_from(line) {
            response.extensions_mut().insert(reason);
        }
        response
    }
}

/// An answer with nothing in it.
pub(super) fn done() -> Response<Body> {
    Response::new(empty())
}

/// An answer of JSON.
pub(super) fn json(value: &impl serde::Serialize) -> Result<Response<Body>, Failure> {
    let bytes = serde_json::to_vec(value).map_err(|error| Failure::internal(&error))?;
    let mut response = Response::new(full(bytes));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// An answer with a status.
pub(super) fn with_status(status: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// The length that a request says its body has.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The next piece of a body; `None` at its end.
pub(super) async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, Failure> {
    loop {
        let frame = tokio::time::timeout(SILENCE_MAX, body.frame()).await;
        match frame {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(frame))) => {
                if let Ok(piece) = frame.into_data() {
                    return Ok(Some(piece));
                }
            }
            Ok(Some(Err(_))) | Err(_) => return Err(Failure::new(400, "The body ended early")),
        }
    }
}

/// A body that is too long.
pub(super) struct TooLong {
    /// At least so many bytes.
    pub(super) length: u64,
}

/// A body that is too long is read and thrown away up to here: workerd hears an answer only when its request has been
/// taken.
const THROWN_AWAY_BYTES_MAX: u64 = 1 << 30;

/// Reads a whole body of at most so many bytes, once there is memory for it.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    bytes_max: usize,
    memory: &MemoryBudget,
) -> Result<Result<(Vec<u8>, Reserved), TooLong>, Failure> {
    let announced = announced(headers);
    if let Some(length) = announced.filter(|length| *length > bytes_max as u64) {
        throw_away(&mut body).await?;
        return Ok(Err(TooLong { length }));
    }
    let expected = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(bytes_max);
    let reserved = memory.reserve(expected).await;
    let mut bytes = Vec::with_capacity(announced.map_or(0, |_| expected));
    while let Some(piece) = next_piece(&mut body).await? {
        let length = bytes.len() + piece.len();
        if length > bytes_max {
            let more = throw_away(&mut body).await?;
            return Ok(Err(TooLong { length: length as u64 + more }));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Ok((bytes, reserved)))
}

/// Reads a body to its end, for nothing. Says how much it was.
pub(super) async fn throw_away(body: &mut Body) -> Result<u64, Failure> {
    let mut length = 0;
    while let Some(piece) = next_piece(body).await? {
        length += piece.len() as u64;
        if length > THROWN_AWAY_BYTES_MAX {
            break;
        }
    }
    Ok(length)
}
