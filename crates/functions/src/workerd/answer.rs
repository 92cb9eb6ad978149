//! The body of a Function's answer, passed on as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::deployment::Flight;
use super::lost::Call;
use super::pool::Connection;
use crate::body::BoxError;

/// The body. Until it is dropped or read to its end, its process is not idle.
pub(super) struct AnswerBody {
    body: Incoming,
    held: Option<(Flight, Connection)>,
    /// To be told of if its process does not live to its end, with the status that was sent.
    call: Option<(Call, u16)>,
}

impl AnswerBody {
    pub(super) fn new(body: Incoming, flight: Flight, connection: Connection, call: (Call, u16)) -> Self {
        let mut body = Self { body, held: Some((flight, connection)), call: Some(call) };
        if body.body.is_end_stream() {
            body.complete();
        }
        body
    }

    /// The rest will not come.
    fn broke(&mut self) {
        let (Some((flight, _)), Some((call, status))) = (self.held.take(), self.call.take()) else { return };
        tokio::spawn(async move {
            let verdict = Call::broke(&flight.process).await;
            verdict.inspect(|verdict| call.tell(*verdict, status));
        });
    }

    /// The connection may be used again.
    fn complete(&mut self) {
        self.call = None;
        if let Some((_, connection)) = self.held.take() {
            connection.rest();
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => {
                if let Some((flight, _)) = &self.held {
                    flight.process.progress.made();
                }
                // Whoever reads may stop here, without asking for the end.
                if self.body.is_end_stream() {
                    self.complete();
                }
            }
            None => self.complete(),
            Some(Err(_)) => self.broke(),
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
