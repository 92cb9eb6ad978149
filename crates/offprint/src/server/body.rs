//! The body of every answer, which notes how much of it was sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use offprint_edge::EdgeBody;

use super::access_log::Line;
use super::doors::Doors;
use super::metrics::Surface;

/// Any error.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What an answer consists of.
pub(crate) enum Content {
    /// Of a site.
    Site(EdgeBody),
    /// Of the platform.
    Platform(axum::body::Body),
    /// A few words from the listener itself.
    Text(Bytes),
}

/// A body that is counted.
pub(crate) struct ServerBody {
    content: Content,
    bytes_sent: u64,
    doors: Arc<Doors>,
    surface: Surface,
    line: Option<Line>,
}

impl ServerBody {
    /// The body of an answer by `surface`, and the line that is to be written of it.
    pub(crate) const fn new(
        content: Content,
        doors: Arc<Doors>,
        surface: Surface,
        line: Option<Line>,
    ) -> Self {
        Self { content, bytes_sent: 0, doors, surface, line }
    }
}

impl Content {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Site(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Platform(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Text(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Text(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }
}

impl Body for ServerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = self.content.poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            self.bytes_sent += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Site(body) => body.is_end_stream(),
            Content::Platform(body) => body.is_end_stream(),
            Content::Text(bytes) => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Site(body) => body.size_hint(),
            Content::Platform(body) => body.size_hint(),
            Content::Text(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

impl Drop for ServerBody {
    fn drop(&mut self) {
        self.doors.metrics.sent(self.surface, self.bytes_sent);
        if let Some(line) = &mut self.line {
            line.bytes = self.bytes_sent;
        }
    }
}
