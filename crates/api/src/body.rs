//! Reading bodies: bounded in size and in patience, whatever the content type says.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::header;
use offprint_wire::error_code::ErrorCode;

use crate::error::{ApiError, Result};
use crate::state::Ctx;

/// How long a client may be silent in the middle of a body.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Configuration of a project with hundreds of long variables stays far below.
const SMALL_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The most memory that is asked for before a byte has come: more than the largest body by default.
const AT_ONCE_BYTES_MAX: usize = 160 * 1024 * 1024;

/// A small body, read whole. wrangler sends JSON as `text/plain`, SDKs send none at all where it is
/// optional; so the content type is not looked at and an empty body is for the reader to judge.
pub(crate) struct SmallBody(pub(crate) Bytes);

impl FromRequest<Ctx> for SmallBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Ctx) -> Result<Self> {
        read(request, SMALL_BODY_BYTES_MAX).await.map(|body| Self(body.freeze()))
    }
}

/// Reads a body of at most so many bytes into one piece of memory.
pub(crate) async fn read(request: Request, bytes_max: usize) -> Result<BytesMut> {
    let announced = announced_length(&request);
    if announced.is_some_and(|length| length > bytes_max) {
        return Err(too_large(bytes_max));
    }
    // Memory that is not written to costs nothing, while growing step by step would hold the largest body
    // three times over for a moment. An operator's limit may be without end; then growing it is.
    let mut body = BytesMut::with_capacity(announced.unwrap_or(bytes_max).min(AT_ONCE_BYTES_MAX));
    let mut pieces = request.into_body().into_data_stream();
    while let Some(piece) = next_piece(&mut pieces).await {
        let piece = piece.map_err(|_| ended_early())?;
        if body.len() + piece.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// The length that the client announces; `None` for a chunked body.
pub(crate) fn announced_length(request: &Request) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The same body, which fails when the client is silent for too long.
pub(crate) fn with_patience(request: Request) -> Request {
    request.map(|body| {
        let pieces = stream::unfold(body.into_data_stream(), |mut pieces| async move {
            next_piece(&mut pieces).await.map(|piece| (piece, pieces))
        });
        Body::from_stream(pieces)
    })
}

async fn next_piece(pieces: &mut BodyDataStream) -> Option<Result<Bytes, axum::Error>> {
    match tokio::time::timeout(SILENCE_MAX, pieces.next()).await {
        Ok(piece) => piece,
        Err(silence) => Some(Err(axum::Error::new(silence))),
    }
}

pub(crate) fn too_large(bytes_max: usize) -> ApiError {
    ApiError::explained(
        ErrorCode::BodyTooLarge,
        format!("The request body is too large: this endpoint takes {bytes_max} bytes at the most."),
    )
}

fn ended_early() -> ApiError {
    ApiError::explained(ErrorCode::InvalidBody, "Request body is incorrect: it ended early.")
}
