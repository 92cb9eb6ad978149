//! HTTP/2, on the protocol library below hyper: hyper cannot send interim answers, and writes once for every
//! answer where one write may do for many.
//!
//! A connection is one task. It answers a request right where it finds it: an asset in memory is ready at once,
//! and no other task needs to be woken. What is not ready moves to a task of its own. Everything that a round of
//! this brings about goes out together (see `cork`).

mod cork;
mod early_hints;
mod exchange;
mod pulse;
mod upload;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, Connection, SendResponse};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::body::BoxError;
use super::doors::{Doors, Peer};
use super::listener::IDLE_TIMEOUT;
use super::stop::Stop;
use cork::Cork;
use pulse::Pulse;

/// How long a client may take until it has sent what a connection begins with.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests of one connection at once.
const STREAMS_MAX: u32 = 250;
/// Bytes of a request's body that may be on their way before they are read.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all requests of a connection. Enough for all of them to be waiting with a full window each (some
/// wait for memory): were it less, they would keep the bytes from the one that is being read, for ever.
const CONNECTION_WINDOW: u32 = (STREAMS_MAX + 1) * STREAM_WINDOW;
/// What the bookkeeping of tiny frames may take up beside that.
const SMALL_FRAMES_BYTES_MAX: usize = 1024 * 1024;
/// All headers of a request, as the protocol counts them.
const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;
/// Bytes of an answer that the connection holds until the client's window opens.
const SEND_BUFFER_BYTES_MAX: usize = 1024 * 1024;

/// Serves connections.
pub(super) struct Http2 {
    builder: Builder,
    early_hints: bool,
}

impl Http2 {
    pub(super) fn new(early_hints: bool) -> Self {
        let mut builder = Builder::new();
        // Streams that are opened and reset at once are bounded by the library's own defaults.
        builder
            .max_concurrent_streams(STREAMS_MAX)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .data_frame_budget(SMALL_FRAMES_BYTES_MAX)
            .max_header_list_size(HEADER_LIST_BYTES_MAX)
            .max_send_buffer_size(SEND_BUFFER_BYTES_MAX);
        Self { builder, early_hints }
    }

    /// Serves a connection until the client or `stop` ends it; requests in flight are answered first.
    pub(super) async fn serve<S>(
        &self,
        stream: S,
        peer: Peer,
        doors: Arc<Doors>,
        stop: &Stop,
    ) -> Result<(), BoxError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let cork = Cork::new(stream);
        let handshake = timeout(HANDSHAKE_TIMEOUT, self.builder.handshake(cork.clone()));
        let mut connection = tokio::select! {
            connection = handshake => connection??,
            () = stop.told() => return Ok(()),
        };
        cork.hold_back();
        let mut pulse = Pulse::new(connection.ping_pong(), IDLE_TIMEOUT);
        let mut answering = Answering::new(|request, respond| {
            exchange::answer(Arc::clone(&doors), peer, request, respond, self.early_hints)
        });
        let (mut ear, mut told, mut is_leaving) = (stop.ear(), pin!(stop.told()), false);
        let ended = poll_fn(|cx| {
            if !is_leaving && ear.hears(told.as_mut(), cx) {
                is_leaving = true;
                connection.graceful_shutdown();
            }
            if pulse.has_stopped(&mut connection, answering.accepted, cx) {
                return Poll::Ready(Ok(()));
            }
            let ended = answering.poll(&mut connection, cx);
            if let Poll::Ready(Err(error)) = cork.poll_release(cx) {
                return Poll::Ready(Err(error.into()));
            }
            ended
        });
        ended.await
    }
}

/// Begins the answers of a connection.
struct Answering<A, F> {
    answer: A,
    /// Where an answer is made; used again unless the answer moves away with it.
    place: Pin<Box<Option<F>>>,
    /// Requests so far.
    accepted: u64,
}

impl<A, F> Answering<A, F>
where
    A: Fn(Request<RecvStream>, SendResponse<Bytes>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    fn new(answer: A) -> Self {
        Self { answer, place: Box::pin(None), accepted: 0 }
    }

    /// Begins the answers of all requests that have come.
    fn poll<S>(
        &mut self,
        connection: &mut Connection<Cork<S>, Bytes>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BoxError>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        while let Some(accepted) = ready!(connection.poll_accept(cx)) {
            let (request, respond) = accepted?;
            self.begin(request, respond);
        }
        Poll::Ready(Ok(()))
    }

    fn begin(&mut self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        self.accepted += 1;
        self.place.set(Some((self.answer)(request, respond)));
        // Nobody needs to be woken: whoever is not ready is asked again in a task of its own.
        let mut cx = Context::from_waker(Waker::noop());
        let place = &mut self.place;
        let poll = catch_unwind(AssertUnwindSafe(|| poll_place(place.as_mut(), &mut cx)));
        match poll {
            Ok(Poll::Ready(())) => self.place.set(None),
            Ok(Poll::Pending) => {
                let mut place = std::mem::replace(&mut self.place, Box::pin(None));
                tokio::spawn(poll_fn(move |cx| poll_place(place.as_mut(), cx)));
            }
            // The hook has told of it; dropping what is left resets the stream, and the others go on.
            Err(_) => self.place = Box::pin(None),
        }
    }
}

fn poll_place<F: Future<Output = ()>>(place: Pin<&mut Option<F>>, cx: &mut Context<'_>) -> Poll<()> {
    place.as_pin_mut().map_or(Poll::Ready(()), |answer| answer.poll(cx))
}
