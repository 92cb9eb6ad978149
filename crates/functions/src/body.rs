//! The bodies that go through here: streams of any origin.

use std::convert::Infallible;

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};

/// What breaks a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request or an answer. Nothing of it is held but what is on its way.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A body of these bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// No body.
pub fn empty() -> Body {
    http_body_util::Empty::new().map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// All bytes of a body that has at most `most` of them.
///
/// # Errors
/// The body breaks, or is longer.
pub async fn read_whole(mut body: Body, most: usize) -> Result<Bytes, BoxError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if whole.len() + data.len() > most {
            return Err(format!("the body is longer than {most} bytes").into());
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
