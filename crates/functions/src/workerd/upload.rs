//! The body of a request, passed on as it comes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::progress::Progress;
use crate::body::{Body, BoxError};

/// Passes a body on and counts its pieces: while they come, nobody waits for an answer in vain.
pub(super) struct Upload {
    body: Body,
    pieces: Progress,
}

impl Upload {
    pub(super) fn new(body: Body, pieces: Progress) -> Self {
        Self { body, pieces }
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() {
            self.pieces.made();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
