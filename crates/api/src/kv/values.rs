//! `…/namespaces/{namespace_id}/values/{key_name}`: one pair.
//!
//! A value is put as the body itself, whatever its content type, or as the field `value` of a form, beside
//! `metadata`. Reading it answers with the value and not with an envelope.

use axum::body::Body;
use axum::extract::FromRequest;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequestParts, Multipart, Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Uri, header};
use offprint_model::kv::{InvalidKv, KvKey, METADATA_BYTES_MAX, VALUE_BYTES_MAX, expiry};
use offprint_resources::kv::KvWrite;
use offprint_wire::error_code::ErrorCode;
use offprint_wire::kv::read_metadata;

use super::now_s;
use crate::answer::Done;
use crate::auth::{InResource, Kv, Read, Write, path_parameter};
use crate::body::{self, announced_length, with_patience};
use crate::error::{ApiError, Result};
use crate::query::Parameters;
use crate::state::{Context, Ctx};

/// What a form adds to a value.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// The key of the path.
pub(crate) struct PathKey(pub(crate) KvKey);

impl FromRequestParts<Ctx> for PathKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Ctx) -> Result<Self> {
        let text = path_parameter(parts, "key_name").await?;
        Ok(Self(KvKey::parse(&text)?))
    }
}

pub(crate) async fn get(
    State(ctx): State<Ctx>,
    caller: InResource<Read, Kv>,
    PathKey(key): PathKey,
) -> Result<Response> {
    let found = ctx.resources.kv().get(&caller.resource, key).await?;
    let entry = found.ok_or(ErrorCode::KvKeyNotFound)?;
    let mut response = Response::new(Body::from(entry.value));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if let Some(expires) = entry.expires {
        headers.insert("expiration", HeaderValue::from(expires));
    }
    Ok(response)
}

pub(crate) async fn put(
    State(ctx): State<Ctx>,
    caller: InResource<Write, Kv>,
    PathKey(key): PathKey,
    uri: Uri,
    request: Request,
) -> Result<Done> {
    let parameters = Parameters::of(&uri)?;
    let expires = expiry(now_s(), parameters.get("expiration"), parameters.get("expiration_ttl"))?;
    let (value, metadata) = read(&ctx, request).await?;
    let write = KvWrite::Put { key, value, metadata, expires };
    ctx.resources.kv().write(&caller.resource, vec![write]).await?;
    Ok(Done)
}

pub(crate) async fn delete(
    State(ctx): State<Ctx>,
    caller: InResource<Write, Kv>,
    PathKey(key): PathKey,
) -> Result<Done> {
    ctx.resources.kv().write(&caller.resource, vec![KvWrite::Delete(key)]).await?;
    Ok(Done)
}

/// The value and its metadata.
async fn read(ctx: &Context, request: Request) -> Result<(Bytes, Option<String>)> {
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("multipart/form-data"));
    let announced = announced_length(&request);
    let reserved = ctx.resources.kv().memory().reserve(announced.unwrap_or(VALUE_BYTES_MAX)).await;
    if !is_form {
        if let Some(length) = announced.filter(|length| *length > VALUE_BYTES_MAX) {
            return Err(InvalidKv::LongValue(length).into());
        }
        let value = body::read(request, VALUE_BYTES_MAX).await?;
        return Ok((reserved.attach(value.into()), None));
    }
    let mut request = with_patience(request);
    DefaultBodyLimit::max(VALUE_BYTES_MAX + FORM_BYTES_MAX).apply(&mut request);
    let mut form =
        Multipart::from_request(request, &()).await.map_err(|error| bad_form(error.body_text()))?;
    let (mut value, mut metadata) = (None, None);
    while let Some(field) = form.next_field().await.map_err(broken)? {
        match field.name() {
            Some("value") => value = Some(read_field(field, VALUE_BYTES_MAX).await?),
            Some("metadata") => metadata = Some(read_field(field, METADATA_BYTES_MAX).await?),
            _ => drop(read_field(field, FORM_BYTES_MAX).await?),
        }
    }
    let value = value.ok_or_else(|| bad_form("the field value is missing".into()))?;
    let metadata = match metadata {
        None => None,
        Some(json) => read_metadata("metadata", &String::from_utf8_lossy(&json))?,
    };
    Ok((reserved.attach(value), metadata))
}

async fn read_field(mut field: Field<'_>, bytes_max: usize) -> Result<Vec<u8>> {
    let name = field.name().unwrap_or_default().to_owned();
    let mut bytes = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(broken)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > bytes_max {
            return Err(match name.as_str() {
                "value" => InvalidKv::LongValue(bytes.len()).into(),
                "metadata" => InvalidKv::LongMetadata(bytes.len()).into(),
                _ => body::too_large(bytes_max),
            });
        }
    }
    Ok(bytes)
}

fn broken(error: MultipartError) -> ApiError {
    bad_form(error.body_text())
}

fn bad_form(why: String) -> ApiError {
    ApiError::explained(ErrorCode::InvalidMultipart, format!("The multipart body is not valid: {why}."))
}
