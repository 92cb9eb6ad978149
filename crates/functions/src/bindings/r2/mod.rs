//! An R2 bucket as workerd asks for it.
//!
//! What only reads is a `GET` with the request as JSON in a header; what changes is a `PUT` whose body begins with the
//! JSON, its length being in a header. Answers begin with JSON in the same way.

mod answer;
mod request;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use offprint_model::object::{Object, ObjectRange, PARTS_MAX, R2Refusal, UPLOAD_BYTES_MAX};
use offprint_model::range::{self, Ranged};
use offprint_resources::r2::{Got, ObjectReader, ObjectWriter, R2Error};
use offprint_resources::{R2, Resources};
use offprint_store::{CompletedPart, ObjectDescription, ObjectList, Resource};

use super::reply::{Failure, announced, next_piece, throw_away};
use crate::body::{Body, BoxError};
use answer::Answer;
use request::{Asked, METADATA_SIZE, REQUEST};

/// The longest JSON of a request: a thousand keys to delete.
const REQUEST_BYTES_MAX: usize = 4 << 20;

/// Answers a request for a bucket.
pub(super) async fn answer(
    resources: &Resources,
    bucket: &Resource,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, mut body) = request.into_parts();
    let r2 = resources.r2();
    let answered = match parts.method {
        Method::GET => match request::of_header(parts.headers.get(REQUEST)) {
            Ok(asked) => read(r2, bucket, asked).await,
            Err(refusal) => Err(refusal.into()),
        },
        Method::PUT => change(r2, bucket, &parts.headers, &mut body).await,
        _ => Err(Stop::Failed(Failure::new(405, "Method Not Allowed"))),
    };
    match answered {
        Ok(answer) => answer.into(),
        Err(stop) => {
            // workerd hears an answer only when its request has been taken.
            if let Err(failure) = throw_away(&mut body).await {
                return failure.into();
            }
            match stop {
                Stop::Refused(refusal, object) => answer::refusal(&refusal, object.as_deref()),
                Stop::Failed(failure) => failure.into(),
            }
        }
    }
}

/// The answer of a bucket that there is not.
pub(super) fn no_bucket() -> Response<Body> {
    answer::refusal(&R2Refusal::NoSuchBucket, None)
}

/// Why there is no answer.
enum Stop {
    /// With the object for which a condition does not hold.
    Refused(R2Refusal, Option<Box<Object>>),
    Failed(Failure),
}

impl From<R2Refusal> for Stop {
    fn from(refusal: R2Refusal) -> Self {
        Self::Refused(refusal, None)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<R2Error> for Stop {
    fn from(error: R2Error) -> Self {
        match error {
            R2Error::Refused(refusal) => refusal.into(),
            R2Error::Contents(error) => Self::Failed(error.into()),
        }
    }
}

async fn read(r2: &R2, bucket: &Resource, asked: Asked) -> Result<Answer, Stop> {
    match asked {
        Asked::Head { key } => {
            let object = r2.head(bucket, &key).await?;
            let size = object.size;
            Ok(Answer::Object(object, Some((0, size))))
        }
        Asked::Get { key, conditions, range, range_header } => {
            let chosen = |size| match range_header {
                Some(header) => of_header(&header, size),
                None => range,
            };
            match r2.get(bucket, &key, &conditions, chosen).await? {
                Got::Object { object, offset, length, reader } => {
                    Ok(Answer::Body(object, (offset, length), Box::new(body_of(reader))))
                }
                Got::Unmet(object) => {
                    Err(Stop::Refused(R2Refusal::PreconditionFailed, Some(Box::new(object))))
                }
            }
        }
        Asked::List { list, http, custom } => {
            // workerd reads a megabyte of JSON at the most.
            let list = ObjectList { bytes_max: 256 << 10, ..list };
            Ok(Answer::Page { page: r2.list(bucket, &list).await?, http, custom })
        }
        _ => Err(R2Refusal::InvalidArgument("This is not a request to read.".into()).into()),
    }
}

/// A header that is no single range of bytes means the whole object.
fn of_header(header: &str, size: u64) -> Option<ObjectRange> {
    match range::of(header.as_bytes(), size) {
        Ranged::Part { start, end } => Some(ObjectRange::From { offset: start, length: Some(end - start) }),
        Ranged::Whole | Ranged::Unsatisfiable => None,
    }
}

async fn change(
    r2: &R2,
    bucket: &Resource,
    headers: &http::HeaderMap,
    body: &mut Body,
) -> Result<Answer, Stop> {
    let size = request::metadata_size(headers.get(METADATA_SIZE), REQUEST_BYTES_MAX)?;
    let (json, rest) = split(body, size).await?;
    let length = announced(headers).map(|length| length.saturating_sub(size as u64));
    match request::of_json(&json)? {
        Asked::Put { put, checksum } => {
            let writer = take_in(r2.writer(checksum)?, rest, length, body).await?;
            Ok(Answer::Object(r2.put(bucket, put, writer).await?, None))
        }
        Asked::Delete { keys } => {
            r2.delete(bucket, &keys).await?;
            Ok(Answer::Done)
        }
        Asked::Begin { key, http, custom } => {
            let upload = r2.begin_upload(bucket, &key, &ObjectDescription { http, custom }).await?;
            Ok(Answer::Upload(upload))
        }
        Asked::Part { key, upload, number } => {
            if !(1..=PARTS_MAX).contains(&number) {
                let why = format!("Part number must be between 1 and {PARTS_MAX}.");
                return Err(R2Refusal::InvalidArgument(why).into());
            }
            let writer = take_in(r2.writer(None)?, rest, length, body).await?;
            Ok(Answer::Part(r2.put_part(bucket, upload, key, number, writer).await?))
        }
        Asked::Complete { key, upload, parts } => {
            let parts: Vec<CompletedPart> =
                parts.into_iter().map(|(number, etag)| CompletedPart { number, etag }).collect();
            Ok(Answer::Object(r2.complete_upload(bucket, &upload, &key, &parts).await?, None))
        }
        Asked::Abort { key, upload } => {
            r2.abort_upload(bucket, &upload, &key).await?;
            Ok(Answer::Done)
        }
        Asked::Head { .. } | Asked::Get { .. } | Asked::List { .. } => {
            Err(R2Refusal::InvalidArgument("This is a request to read.".into()).into())
        }
    }
}

/// The first bytes of a body, and what came with their last piece.
async fn split(body: &mut Body, size: usize) -> Result<(Vec<u8>, Bytes), Failure> {
    let mut first = Vec::with_capacity(size);
    loop {
        let Some(mut piece) = next_piece(body).await? else {
            return match first.len() == size {
                true => Ok((first, Bytes::new())),
                false => Err(Failure::new(400, "The body ended early")),
            };
        };
        let missing = size - first.len();
        if piece.len() >= missing {
            first.extend_from_slice(&piece.split_to(missing));
            return Ok((first, piece));
        }
        first.extend_from_slice(&piece);
    }
}

/// Takes the bytes of an object in. A body that breaks off is no object.
async fn take_in(
    mut writer: ObjectWriter,
    first: Bytes,
    length: Option<u64>,
    body: &mut Body,
) -> Result<ObjectWriter, Stop> {
    if length.is_some_and(|length| length > UPLOAD_BYTES_MAX) {
        return Err(R2Refusal::EntityTooLarge.into());
    }
    writer.write(first).await?;
    while let Some(piece) = next_piece(body).await? {
        writer.write(piece).await?;
    }
    Ok(writer)
}

/// The bytes of an object behind their JSON.
fn body_of(reader: ObjectReader) -> impl FnOnce(Vec<u8>) -> Body {
    move |json| {
        let pieces = stream::unfold((Some(Bytes::from(json)), reader), |(json, mut reader)| async move {
            if let Some(json) = json {
                return Some((Ok(Frame::data(json)), (None, reader)));
            }
            match reader.next().await {
                Ok(None) => None,
                Ok(Some(piece)) => Some((Ok(Frame::data(piece)), (None, reader))),
                Err(error) => {
                    tracing::error!(%error, "an object cannot be read to its end");
                    Some((Err(BoxError::from(error)), (None, reader)))
                }
            }
        });
        StreamBody::new(pieces).boxed_unsync()
    }
}
