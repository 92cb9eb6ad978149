//! The body of a request, whose sender may go on as far as it has been read.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How much of a body that nobody wanted is read past, and for how long.
const PAST_BYTES_MAX: usize = 1024 * 1024;
const PAST_TIME_MAX: Duration = Duration::from_secs(5);

/// The body of a request.
///
/// Dropped before its end, it is read past, within bounds: otherwise the stream would have to be reset, and there
/// are clients (curl 7.88) that then do not look at the answer which came before.
pub(super) struct Upload {
    /// `None` once it is being read past.
    stream: Option<RecvStream>,
}

impl Upload {
    pub(super) const fn new(stream: RecvStream) -> Self {
        Self { stream: Some(stream) }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(None) };
        // Trailers may follow; nobody reads them. A stream that was reset is an error: half a body is none.
        let data = match ready!(stream.poll_data(cx)) {
            None => return Poll::Ready(None),
            Some(data) => data?,
        };
        stream.flow_control().release_capacity(data.len())?;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.is_end_stream() {
            return;
        }
        if let (Some(stream), Ok(runtime)) = (self.stream.take(), Handle::try_current()) {
            runtime.spawn(timeout(PAST_TIME_MAX, read_past(stream)));
        }
    }
}

async fn read_past(mut stream: RecvStream) {
    let mut bytes = 0;
    while let Some(Ok(data)) = stream.data().await {
        bytes += data.len();
        if bytes > PAST_BYTES_MAX || stream.flow_control().release_capacity(data.len()).is_err() {
            return;
        }
    }
}
