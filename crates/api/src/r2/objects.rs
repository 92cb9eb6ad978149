//! `…/r2/buckets/{bucket_name}/objects`: lists, and one object after the other. Reading one answers with its bytes and
//! not with an envelope.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use offprint_model::object::{
    Conditions, CustomMetadata, HttpMetadata, LIST_MAX, Object, ObjectKey, ObjectRange, R2Refusal,
    UPLOAD_BYTES_MAX,
};
use offprint_model::range::{self, Ranged};
use offprint_resources::r2::{Got, ObjectReader, Put, cursor_of, position_of};
use offprint_store::{ObjectDescription, ObjectList, ObjectPosition};
use offprint_wire::error_code::ErrorCode;
use offprint_wire::r2::{ListInfo, Object as Shown, Stored};

use crate::answer::{Done, InfoPage, Success};
use crate::auth::{InResource, R2, Read, Write, path_parameter};
use crate::body::{announced_length, with_patience};
use crate::error::{ApiError, Result};
use crate::query::Parameters;
use crate::state::Ctx;

/// The key of the path.
pub(crate) struct PathKey(ObjectKey);

impl FromRequestParts<Ctx> for PathKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Ctx) -> Result<Self> {
        let text = path_parameter(parts, "object_key").await?;
        Ok(Self(ObjectKey::parse(&text)?))
    }
}

pub(crate) async fn list(
    State(ctx): State<Ctx>,
    caller: InResource<Read, R2>,
    uri: Uri,
) -> Result<InfoPage<Shown, ListInfo>> {
    let parameters = Parameters::of(&uri)?;
    let limit = match parameters.get("per_page") {
        None => LIST_MAX,
        Some(text) => match text.parse() {
            Ok(limit @ 1..=LIST_MAX) => limit,
            _ => return Err(R2Refusal::InvalidMaxKeys.into()),
        },
    };
    let text = |name| parameters.get(name).unwrap_or_default().to_owned();
    let after =
        match parameters.get("cursor") {
            Some(cursor) => Some(position_of(cursor).ok_or_else(|| {
                R2Refusal::InvalidArgument("The cursor is not one of an earlier page.".into())
            })?),
            None => parameters.get("start_after").map(|key| ObjectPosition::Key(key.to_owned())),
        };
    let list =
        ObjectList { prefix: text("prefix"), delimiter: text("delimiter"), after, limit, bytes_max: 8 << 20 };
    let page = ctx.resources.r2().list(&caller.resource, &list).await?;
    let info = ListInfo {
        is_truncated: page.next.is_some(),
        cursor: page.next.as_ref().map(cursor_of).unwrap_or_default(),
        per_page: limit,
        delimited: page.prefixes,
    };
    Ok(InfoPage { items: page.objects.iter().map(Shown::from).collect(), info })
}

pub(crate) async fn get(
    State(ctx): State<Ctx>,
    caller: InResource<Read, R2>,
    PathKey(key): PathKey,
    headers: HeaderMap,
) -> Result<Response> {
    let mut partial = false;
    let range = headers.get(header::RANGE).map(|header| header.as_bytes().to_vec());
    let choose = |size| match range::of(&range?, size) {
        Ranged::Part { start, end } => {
            partial = true;
            Some(ObjectRange::From { offset: start, length: Some(end - start) })
        }
        Ranged::Whole | Ranged::Unsatisfiable => None,
    };
    let got = ctx.resources.r2().get(&caller.resource, &key, &Conditions::default(), choose).await?;
    let Got::Object { object, offset, length, reader } = got else {
        return Err(R2Refusal::PreconditionFailed.into());
    };
    let mut response = Response::new(stream_of(reader));
    describe(&object, response.headers_mut())?;
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if partial {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let place = format!("bytes {offset}-{}/{}", offset + length - 1, object.size);
        let place = HeaderValue::try_from(place).map_err(ApiError::internal)?;
        response.headers_mut().insert(header::CONTENT_RANGE, place);
    }
    Ok(response)
}

pub(crate) async fn put(
    State(ctx): State<Ctx>,
    caller: InResource<Write, R2>,
    PathKey(key): PathKey,
    request: Request,
) -> Result<Success<Stored>> {
    if announced_length(&request).is_some_and(|length| length as u64 > UPLOAD_BYTES_MAX) {
        return Err(R2Refusal::EntityTooLarge.into());
    }
    let http = http_metadata(request.headers());
    let mut writer = ctx.resources.r2().writer(None)?;
    let mut pieces = with_patience(request).into_body().into_data_stream();
    while let Some(piece) = pieces.next().await {
        writer.write(piece.map_err(|_| ErrorCode::InvalidBody)?).await?;
    }
    let description = ObjectDescription { http, custom: CustomMetadata::default() };
    let put = Put { key, description, expected: None, conditions: Conditions::default() };
    let object = ctx.resources.r2().put(&caller.resource, put, writer).await?;
    Ok(Success(Stored::from(&object)))
}

/// An object that is not there is passed over, as in the real service.
pub(crate) async fn delete(
    State(ctx): State<Ctx>,
    caller: InResource<Write, R2>,
    PathKey(key): PathKey,
) -> Result<Done> {
    ctx.resources.r2().delete(&caller.resource, &[key]).await?;
    Ok(Done)
}

fn stream_of(reader: ObjectReader) -> Body {
    Body::from_stream(stream::unfold(reader, |mut reader| async move {
        match reader.next().await {
            Ok(None) => None,
            Ok(Some(piece)) => Some((Ok(piece), reader)),
            Err(error) => {
                tracing::error!(%error, "an object cannot be read to its end");
                Some((Err(std::io::Error::other(error)), reader))
            }
        }
    }))
}

/// What is said of an object, as headers. Values that cannot be headers are left out.
fn describe(object: &Object, headers: &mut HeaderMap) -> Result<()> {
    let etag = HeaderValue::try_from(format!("\"{}\"", object.etag)).map_err(ApiError::internal)?;
    headers.insert(header::ETAG, etag);
    for (name, value) in [
        (header::CONTENT_TYPE, &object.http.content_type),
        (header::CONTENT_LANGUAGE, &object.http.content_language),
        (header::CONTENT_DISPOSITION, &object.http.content_disposition),
        (header::CONTENT_ENCODING, &object.http.content_encoding),
        (header::CACHE_CONTROL, &object.http.cache_control),
    ] {
        if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    Ok(())
}

/// What the headers of an upload say of the object.
fn http_metadata(headers: &HeaderMap) -> HttpMetadata {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::to_owned);
    HttpMetadata {
        content_type: text(header::CONTENT_TYPE),
        content_language: text(header::CONTENT_LANGUAGE),
        content_disposition: text(header::CONTENT_DISPOSITION),
        content_encoding: text(header::CONTENT_ENCODING),
        cache_control: text(header::CACHE_CONTROL),
        cache_expiry: None,
    }
}
