//! Reading the parts of the deployment form, each within its own limit.
//!
//! Pages API, "The deployment POST, field by field". Unknown parts are read past, a bounded amount of
//! them; a form of very many parts is refused.

use std::collections::BTreeMap;

use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, Request};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use offprint_wire::error_code::ErrorCode;

use crate::error::{ApiError, Result};
use crate::state::Limits;

const PARTS_MAX: usize = 64;
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// `_redirects` with the most rules of the longest kind has 4.2 MB.
const RULES_BYTES_MAX: usize = 5 * 1024 * 1024;
const UNKNOWN_BYTES_MAX: usize = 1024 * 1024;

/// The known parts of a form.
#[derive(Debug, Default)]
pub(super) struct Parts(BTreeMap<&'static str, Bytes>);

impl Parts {
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Bytes> {
        self.0.get(name)
    }

    #[cfg(test)]
    pub(super) fn of(parts: &[(&'static str, &[u8])]) -> Self {
        Self(parts.iter().map(|(name, bytes)| (*name, Bytes::copy_from_slice(bytes))).collect())
    }
}

/// The known parts and their limits.
fn known(name: &str, limits: &Limits) -> Option<(&'static str, usize)> {
    let known = match name {
        "manifest" => ("manifest", limits.manifest_bytes_max),
        "_worker.bundle" => ("_worker.bundle", limits.worker_bytes_max),
        "_worker.js" => ("_worker.js", limits.worker_bytes_max),
        "branch" => ("branch", TEXT_BYTES_MAX),
        "commit_hash" => ("commit_hash", TEXT_BYTES_MAX),
        "commit_message" => ("commit_message", TEXT_BYTES_MAX),
        "commit_dirty" => ("commit_dirty", TEXT_BYTES_MAX),
        "wrangler_config_hash" => ("wrangler_config_hash", TEXT_BYTES_MAX),
        "pages_build_output_dir" => ("pages_build_output_dir", TEXT_BYTES_MAX),
        "_routes.json" => ("_routes.json", TEXT_BYTES_MAX),
        "_headers" => ("_headers", RULES_BYTES_MAX),
        "_redirects" => ("_redirects", RULES_BYTES_MAX),
        "functions-filepath-routing-config.json" => {
            ("functions-filepath-routing-config.json", RULES_BYTES_MAX)
        }
        _ => return None,
    };
    Some(known)
}

/// The longest form there can be.
pub(super) fn bytes_max(limits: &Limits) -> usize {
    let small = 3 * RULES_BYTES_MAX + 7 * TEXT_BYTES_MAX + UNKNOWN_BYTES_MAX + PARTS_MAX * 1024;
    limits.manifest_bytes_max.saturating_add(limits.worker_bytes_max).saturating_add(small)
}

/// Bounds the whole body, so that a part's headers cannot go on for ever either.
pub(super) fn bounded(mut request: Request, limits: &Limits) -> Request {
    DefaultBodyLimit::max(bytes_max(limits)).apply(&mut request);
    request
}

/// Reads a form to its end.
pub(super) async fn read(mut form: Multipart, limits: &Limits) -> Result<Parts> {
    let mut parts = Parts::default();
    let mut unknown_bytes = 0;
    for count in 0.. {
        let Some(field) = form.next_field().await.map_err(|error| broken(&error))? else {
            return Ok(parts);
        };
        if count == PARTS_MAX {
            return Err(invalid(format!("it has more than {PARTS_MAX} parts")));
        }
        match field.name().and_then(|name| known(name, limits)) {
            Some((name, bytes_max)) => {
                let bytes = read_part(field, name, bytes_max).await?;
                if parts.0.insert(name, bytes).is_some() {
                    return Err(invalid(format!("it has the part {name} more than once")));
                }
            }
            None => unknown_bytes += read_past(field, UNKNOWN_BYTES_MAX - unknown_bytes).await?,
        }
    }
    Ok(parts)
}

async fn read_part(mut field: Field<'_>, name: &str, bytes_max: usize) -> Result<Bytes> {
    let (mut pieces, mut length) = (Vec::new(), 0);
    while let Some(piece) = field.chunk().await.map_err(|error| broken(&error))? {
        length += piece.len();
        if length > bytes_max {
            let message = format!("The part {name} is too large: it may have {bytes_max} bytes.");
            return Err(ApiError::explained(ErrorCode::BodyTooLarge, message));
        }
        pieces.push(piece);
    }
    Ok(joined(pieces, length))
}

/// One piece is taken as it is: a large part is copied only if it came in several.
fn joined(mut pieces: Vec<Bytes>, length: usize) -> Bytes {
    match pieces.pop() {
        Some(only) if pieces.is_empty() => only,
        last => {
            let mut bytes = BytesMut::with_capacity(length);
            pieces.into_iter().chain(last).for_each(|piece| bytes.extend_from_slice(&piece));
            bytes.freeze()
        }
    }
}

async fn read_past(mut field: Field<'_>, bytes_max: usize) -> Result<usize> {
    let mut bytes = 0;
    while let Some(piece) = field.chunk().await.map_err(|error| broken(&error))? {
        bytes += piece.len();
        if bytes > bytes_max {
            return Err(ApiError::explained(
                ErrorCode::BodyTooLarge,
                format!(
                    "The form's unknown parts are too large: together they may have {UNKNOWN_BYTES_MAX} bytes."
                ),
            ));
        }
    }
    Ok(bytes)
}

fn broken(error: &MultipartError) -> ApiError {
    match error.status() {
        StatusCode::BAD_REQUEST => invalid(error.body_text()),
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::BodyTooLarge.into(),
        // The connection broke, or the client fell silent.
        _ => invalid("it ended early"),
    }
}

/// A form that is none.
pub(super) fn invalid(why: impl std::fmt::Display) -> ApiError {
    ApiError::explained(ErrorCode::InvalidMultipart, format!("The multipart body is not valid: {why}."))
}
