//! Whether an HTTP/1.1 connection is still of use.
//!
//! hyper can time the head of a request with a timer that it makes and takes down for every one. This counts
//! steps instead and looks at the count now and then, which costs a request next to nothing, and it sees what
//! a timer for heads does not: a client that has stopped taking its answer.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How often a connection is looked at in the time that it may be quiet.
const LOOKS: u32 = 5;
/// The longest answer that is handed to the kernel in one piece, in bytes.
pub(super) const GATHERED_BYTES_MAX: usize = 4096;

/// What happens on a connection.
#[derive(Default)]
pub(super) struct Activity {
    /// Requests begun, bytes of their bodies received, bytes of answers sent: each time counts one.
    steps: AtomicU32,
    is_answering: AtomicBool,
    /// Whether the last request that came ended with its head.
    was_only_head: AtomicBool,
    /// The client does not take what it is sent.
    is_blocked: AtomicBool,
}

impl Activity {
    /// A request has come, and it may end with its head. The answer is under way until what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>, is_only_head: bool) -> Answering {
        self.step();
        self.was_only_head.store(is_only_head, Ordering::Relaxed);
        self.is_answering.store(true, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    /// Something has happened.
    pub(super) fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// From now on somebody else speaks, who has answered nothing yet.
    pub(super) fn change_hands(&self) {
        self.was_only_head.store(false, Ordering::Relaxed);
    }

    /// Whether nothing of a request is left to be read or sent: one has come and was answered, and whoever speaks
    /// cannot go on for now. A body is not looked after: who has read it, and whether all of it, is not known here.
    pub(super) fn is_between_requests(&self) -> bool {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        is(&self.was_only_head) && !is(&self.is_answering) && !is(&self.is_blocked)
    }

    fn waits_for_us(&self) -> bool {
        self.is_answering.load(Ordering::Relaxed) && !self.is_blocked.load(Ordering::Relaxed)
    }
}

/// An answer that is under way.
pub(super) struct Answering(Arc<Activity>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.is_answering.store(false, Ordering::Relaxed);
    }
}

/// Looks at a connection now and then.
pub(super) struct Watch {
    activity: Arc<Activity>,
    timer: Pin<Box<Sleep>>,
    interval: Duration,
    is_listening: bool,
    steps: u32,
    quiet: u32,
}

impl Watch {
    /// A watch that lets the connection be quiet for about so long.
    pub(super) fn new(activity: Arc<Activity>, quiet_max: Duration) -> Self {
        let interval = quiet_max / LOOKS;
        Self { activity, timer: Box::pin(sleep(interval)), interval, is_listening: false, steps: 0, quiet: 0 }
    }

    /// Whether the client has been waited for long enough: for a request, for the rest of its head or body, or
    /// for it to take its answer. If not, the task will be woken; it must always have the same waker.
    pub(super) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if self.is_listening && !self.timer.is_elapsed() {
            return false;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.look() {
                return true;
            }
            self.timer.as_mut().reset(Instant::now() + self.interval);
        }
        self.is_listening = true;
        false
    }

    /// One look; whether it was the last of too many at which nothing had happened.
    fn look(&mut self) -> bool {
        let steps = self.activity.steps.load(Ordering::Relaxed);
        let is_quiet = steps == self.steps && !self.activity.waits_for_us();
        self.steps = steps;
        self.quiet = if is_quiet { self.quiet + 1 } else { 0 };
        self.quiet >= LOOKS
    }
}

/// A connection that counts its steps. Bytes of a head are none: a client could send them one by one for ever.
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    pub(super) const fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }

    /// The connection itself.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    fn written(&self, poll: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.activity.is_blocked.store(poll.is_pending(), Ordering::Relaxed);
        if poll.is_ready() {
            self.activity.step();
        }
        poll
    }
}

/// A short answer in one piece: copying it costs less than what the kernel does to take several.
fn gathered<'a>(pieces: &'a [IoSlice<'_>], room: &'a mut ReadBuf<'_>) -> Option<&'a [u8]> {
    if let [piece] = pieces {
        return Some(piece);
    }
    if pieces.iter().map(|piece| piece.len()).sum::<usize>() > room.remaining() {
        return None;
    }
    pieces.iter().for_each(|piece| room.put_slice(piece));
    Some(room.filled())
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if poll.is_ready() && self.activity.is_answering.load(Ordering::Relaxed) {
            self.activity.step();
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut room = [MaybeUninit::uninit(); GATHERED_BYTES_MAX];
        let poll = match gathered(pieces, &mut ReadBuf::uninit(&mut room)) {
            Some(bytes) => Pin::new(&mut self.stream).poll_write(cx, bytes),
            None => Pin::new(&mut self.stream).poll_write_vectored(cx, pieces),
        };
        self.written(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The body of an answer, which is under way as long as the body is.
pub(super) struct WatchedBody<B> {
    pub(super) body: B,
    pub(super) _answering: Answering,
}

impl<B: Body<Data = Bytes> + Unpin> Body for WatchedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    struct Connection {
        server: Watched<DuplexStream>,
        client: DuplexStream,
        activity: Arc<Activity>,
        watch: Watch,
    }

    fn connect() -> Connection {
        let (server, client) = duplex(16);
        let activity = Arc::new(Activity::default());
        let watch = Watch::new(Arc::clone(&activity), Duration::from_secs(75));
        Connection { server: Watched::new(server, Arc::clone(&activity)), client, activity, watch }
    }

    impl Connection {
        /// Whether the connection is given up when nothing happens from now on.
        fn is_over(&mut self) -> bool {
            (0..2 * LOOKS).any(|_| self.watch.look())
        }

        /// Whether it is given up when a byte comes between any two looks.
        async fn is_over_dripping(&mut self) -> bool {
            for _ in 0..10 * LOOKS {
                self.client.write_all(b"x").await.unwrap();
                self.server.read_u8().await.unwrap();
                if self.watch.look() {
                    return true;
                }
            }
            false
        }
    }

    #[tokio::test]
    async fn a_silent_connection_is_over() {
        assert!(connect().is_over());
        let mut soon = Watch::new(Arc::default(), Duration::from_millis(10));
        poll_fn(|cx| if soon.is_over(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    #[tokio::test]
    async fn a_head_that_comes_byte_by_byte_is_no_excuse() {
        assert!(connect().is_over_dripping().await);
    }

    #[tokio::test]
    async fn an_answer_may_take_its_time_and_so_may_a_body() {
        let mut connection = connect();
        let answering = connection.activity.begin(true);
        assert!(!connection.is_over(), "it is we who are waited for");
        assert!(!connection.is_over_dripping().await);
        drop(answering);
        assert!(connection.is_over());
    }

    #[tokio::test]
    async fn a_client_that_does_not_take_its_answer_is_over() {
        let mut connection = connect();
        let _answering = connection.activity.begin(true);
        let server = &mut connection.server;
        // The pipe takes 16 bytes, and then there is nobody who reads.
        server.write_all(&[0; 16]).await.unwrap();
        let full = poll_fn(|cx| Poll::Ready(Pin::new(&mut *server).poll_write(cx, b"x").is_pending())).await;
        assert!(full && connection.is_over());
        connection.client.read_u8().await.unwrap();
        connection.server.write_all(b"x").await.unwrap();
        assert!(!connection.is_over());
    }
}
