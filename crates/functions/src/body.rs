//! The bodies that go through here: streams of any origin.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
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

/// A body that is passed on as it comes; each piece is shown to `note` by its length, which may end it.
pub(crate) struct Observed<B, F> {
    body: B,
    note: F,
}

impl<B, F> Observed<B, F> {
    pub(crate) fn new(body: B, note: F) -> Self {
        Self { body, note }
    }
}

impl<B, F> http_body::Body for Observed<B, F>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
    F: FnMut(usize) -> io::Result<()> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else { return Poll::Ready(None) };
        let frame = frame.map_err(Into::into)?;
        (self.note)(frame.data_ref().map_or(0, Bytes::len))?;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
