//! The express lane of HTTP/1.1: plain requests whose answers stand ready, without a protocol library.
//!
//! Most requests of a static site are alike: `GET`, no body, an asset in memory. For these a state machine and maps
//! of headers cost more than the answer. So a connection begins here: what was read is looked at where it lies,
//! and if it is a whole, plain request whose answer is ready, head and body are written at once.
//!
//! Anything else is not decided here. The bytes go to hyper, as if nobody had looked at them, and the connection
//! comes back when hyper has answered and nothing is under way (see `http1`). That goes for every malformed
//! request, too: the lane never refuses one, so there are no two opinions on what a request is. Where it does take
//! one, it is stricter than hyper, so that a request it takes has one meaning only.
//!
//! A connection that waits holds no buffer.

mod head;
mod sending;
mod wire;

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use offprint_edge::{PlainRequest, ReadyAnswer};
use tokio::io::ReadBuf;

use super::doors::Doors;
use super::protocol::{Prefixed, Protocol, protocol_of};
use super::vigil::Vigil;
use head::Plain;
use sending::{HEAD_BYTES_MAX, Sending};
pub(super) use wire::Wire;

/// Longer than the head of most requests. Longer ones are hyper's.
const READ_BYTES: usize = 4096;

/// A connection on the lane.
pub(super) struct Lane<S> {
    stream: S,
    /// Read and not answered yet; empty while the client is waited for.
    unread: Vec<u8>,
    sending: Sending,
    manners: Manners,
    /// Nothing is answered after what is being sent.
    is_last: bool,
}

/// How a connection begins and ends.
#[derive(Clone, Copy)]
pub(super) struct Manners {
    /// Whether the first bytes are still to tell the protocol.
    pub(super) is_new: bool,
    /// Whether its end must be told and is not that of the connection below (TLS).
    pub(super) says_goodbye: bool,
}

/// Why a connection leaves the lane.
pub(super) enum Exit {
    /// It has ended.
    Over,
    /// The first bytes are not, or not clearly, those of HTTP/1.
    Unrecognized,
    /// The next request is not for the lane.
    Request,
}

impl<S: Wire> Lane<S> {
    /// A connection that waits for a request.
    pub(super) fn new(connection: Prefixed<S>, manners: Manners) -> Self {
        let (stream, unread) = connection.into_parts();
        Self { stream, unread, sending: Sending::default(), manners, is_last: false }
    }

    /// The connection as it was before the reading of what is not answered.
    pub(super) fn into_prefixed(self) -> Prefixed<S> {
        Prefixed::new(self.unread, self.stream)
    }

    /// Answers until the client or the server ends the connection, or something comes that is not for the lane.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) async fn run(&mut self, doors: &Doors, vigil: &mut Vigil<'_, '_>) -> io::Result<Exit> {
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(exit) = self.poll(doors, vigil, cx) {
                    return Poll::Ready(exit);
                }
                if vigil.is_over(cx) {
                    return Poll::Ready(Ok(Exit::Over));
                }
                if self.is_last || !vigil.is_told_to_stop(cx) {
                    return Poll::Pending;
                }
                self.is_last = true;
            }
        })
        .await
    }

    fn poll(&mut self, doors: &Doors, vigil: &Vigil<'_, '_>, cx: &mut Context<'_>) -> Poll<io::Result<Exit>> {
        loop {
            ready!(self.sending.poll(&mut self.stream, vigil, cx))?;
            if self.is_last {
                return self.poll_end(cx);
            }
            let exit = if self.unread.is_empty() {
                let mut room = [MaybeUninit::uninit(); READ_BYTES];
                let mut buffer = ReadBuf::uninit(&mut room);
                ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
                if buffer.filled().is_empty() {
                    self.is_last = true;
                    continue;
                }
                self.take(buffer.filled(), doors, vigil, cx)?
            } else {
                let unread = std::mem::take(&mut self.unread);
                self.take(&unread, doors, vigil, cx)?
            };
            if let Some(exit) = exit {
                return Poll::Ready(Ok(exit));
            }
        }
    }

    /// Answers the requests that these bytes begin with, and keeps the rest.
    fn take(
        &mut self,
        mut bytes: &[u8],
        doors: &Doors,
        vigil: &Vigil<'_, '_>,
        cx: &mut Context<'_>,
    ) -> io::Result<Option<Exit>> {
        if self.manners.is_new && protocol_of(bytes) != Some(Protocol::Http1) {
            self.unread = bytes.to_vec();
            return Ok(Some(Exit::Unrecognized));
        }
        self.manners.is_new = false;
        while !bytes.is_empty() {
            let plain = Plain::parse(bytes);
            let answered = plain.and_then(|plain| ready_answer(doors, &plain).map(|answer| (plain, answer)));
            let Some((plain, answer)) = answered else {
                self.unread = bytes.to_vec();
                return Ok(Some(Exit::Request));
            };
            bytes = &bytes[plain.length..];
            self.is_last = plain.is_last;
            if self.is_last {
                // The client has asked for nothing more, whatever else it sends.
                bytes = &[];
                self.manners.says_goodbye = true;
            }
            if self.sending.send(&mut self.stream, &answer, self.is_last, vigil, cx)?.is_pending() {
                self.unread = bytes.to_vec();
                break;
            }
        }
        Ok(None)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Exit>> {
        if self.manners.says_goodbye {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        Poll::Ready(Ok(Exit::Over))
    }
}

/// The answer to a request, counted, if it is ready.
fn ready_answer(doors: &Doors, plain: &Plain<'_>) -> Option<ReadyAnswer> {
    if doors.access_log.is_some() {
        return None;
    }
    // After a panic the ordinary way has its turn, and whatever it is will be told there.
    let request = PlainRequest {
        is_head: plain.is_head,
        host: plain.host,
        target: plain.target,
        accept_encoding: plain.accept_encoding,
        if_none_match: plain.if_none_match,
    };
    let answer = catch_unwind(AssertUnwindSafe(|| doors.edge.ready(&request))).ok()??;
    let (fields, content_length) = answer.head();
    if fields.len() + content_length.len() > HEAD_BYTES_MAX {
        return None;
    }
    doors.metrics.stood_ready(answer.status(), answer.cache(), answer.body().len() as u64);
    Some(answer)
}
