//! A body that is not dropped in the client's face.
//!
//! A handler may refuse a call without reading its body: an expired upload token with 56 MB behind it. If
//! the connection were closed with those bytes unread, the client would see it break and never read why;
//! wrangler would not fetch its new token. So what a handler leaves unread is read past, within bounds,
//! while the answer is on its way.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::header;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::runtime::Handle;

/// More than the largest body that any endpoint takes by default.
const BYTES_MAX: usize = 160 * 1024 * 1024;
const TIME_MAX: Duration = Duration::from_secs(60);

/// Makes the request's body linger.
pub(crate) fn lingering(request: Request) -> Request {
    // Such a client sends nothing before it has been told to go on, or has been refused.
    let waits = request.headers().contains_key(header::EXPECT);
    if waits || request.body().is_end_stream() {
        return request;
    }
    request.map(|body| Body::new(Lingering { rest: Some(body) }))
}

struct Lingering {
    /// `None` when it has been read to its end.
    rest: Option<Body>,
}

impl HttpBody for Lingering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(rest).poll_frame(ctx));
        if !matches!(frame, Some(Ok(_))) {
            self.rest = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let rest = self.rest.take().filter(|rest| !rest.is_end_stream());
        if let (Some(rest), Ok(runtime)) = (rest, Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(TIME_MAX, read_past(rest)));
        }
    }
}

async fn read_past(mut rest: Body) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = rest.frame().await {
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > BYTES_MAX {
            return;
        }
    }
}
