//! A connection that holds back what is written to it until told to let go.
//!
//! The protocol library writes every larger frame by itself, and flushes after each. Here frames gather, and all
//! the answers of a round leave in one write, or in as few as their size demands; over TLS, in full records.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are held back at the most. What comes beyond goes out at once.
const HELD_BYTES_MAX: usize = 64 * 1024;
/// An idle connection keeps a buffer up to this size.
const KEPT_BYTES_MAX: usize = 4 * 1024;

thread_local! {
    /// The large buffer of the connection that was emptied last, for the next that needs one. It would grow by copying
    /// otherwise, every time, and be cold.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A connection that both the protocol library and its driver hold. Only one task uses it, so the lock is never
/// waited for.
pub(super) struct Cork<S>(Arc<Mutex<Corked<S>>>);

impl<S> Clone for Cork<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Corked<S> {
    stream: S,
    held: Vec<u8>,
    /// How much of that is written already.
    written: usize,
    holds_back: bool,
    /// The stream may have bytes of its own to let go: over TLS, records that the socket did not take at once.
    is_unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Cork<S> {
    /// Nothing is held back yet.
    pub(super) fn new(stream: S) -> Self {
        let (held, written) = (Vec::new(), 0);
        let corked = Corked { stream, held, written, holds_back: false, is_unflushed: false };
        Self(Arc::new(Mutex::new(corked)))
    }

    /// From now on only [`Self::poll_release`] lets go.
    pub(super) fn hold_back(&self) {
        self.lock().holds_back = true;
    }

    /// Writes what has been held back.
    pub(super) fn poll_release(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut corked = self.lock();
        if corked.held.is_empty() && !corked.is_unflushed {
            return Poll::Ready(Ok(()));
        }
        corked.poll_flush(cx)
    }

    fn lock(&self) -> MutexGuard<'_, Corked<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncWrite + Unpin> Corked<S> {
    /// Hands everything to the stream.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.held.len() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.held[self.written..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
            self.is_unflushed = true;
        }
        self.written = 0;
        self.held.clear();
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        if self.held.capacity() > KEPT_BYTES_MAX {
            SPARE.set(std::mem::take(&mut self.held));
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.is_unflushed = false;
        Poll::Ready(Ok(()))
    }

    /// Takes as much as there is room for.
    fn hold(&mut self, bytes: &[u8]) -> usize {
        let room = HELD_BYTES_MAX.saturating_sub(self.held.len());
        let taken = bytes.len().min(room);
        if self.held.len() + taken > self.held.capacity().max(KEPT_BYTES_MAX) {
            let mut large = SPARE.take();
            large.reserve_exact(HELD_BYTES_MAX);
            large.extend_from_slice(&self.held);
            self.held = large;
        }
        self.held.extend_from_slice(&bytes[..taken]);
        taken
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cork<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut corked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut corked.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Cork<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut corked = self.lock();
        if corked.held.len() >= HELD_BYTES_MAX {
            ready!(corked.poll_empty(cx))?;
        }
        let mut taken = 0;
        for piece in pieces {
            let of_piece = corked.hold(piece);
            taken += of_piece;
            if of_piece < piece.len() {
                break;
            }
        }
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut corked = self.lock();
        if corked.holds_back { Poll::Ready(Ok(())) } else { corked.poll_flush(cx) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut corked = self.lock();
        ready!(corked.poll_flush(cx))?;
        Pin::new(&mut corked.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn what_is_held_back_goes_out_in_order_when_it_is_let_go() {
        let (client, mut server) = duplex(1 << 20);
        let mut cork = Cork::new(client);
        cork.write_all(b"at once,").await.unwrap();
        cork.flush().await.unwrap();
        let mut read = [0; 8];
        server.read_exact(&mut read).await.unwrap();
        cork.hold_back();
        for text in ["one,", "two,", "three"] {
            cork.write_all(text.as_bytes()).await.unwrap();
            cork.flush().await.unwrap();
        }
        let mut read = [0; 64];
        let early = futures_util::FutureExt::now_or_never(server.read(&mut read));
        assert!(early.is_none(), "it is held back");
        poll_fn(|cx| cork.poll_release(cx)).await.unwrap();
        let length = server.read(&mut read).await.unwrap();
        assert_eq!(&read[..length], b"one,two,three");
    }

    #[tokio::test]
    async fn what_the_stream_below_holds_back_goes_out_too() {
        let (client, mut server) = duplex(10);
        let mut cork = Cork::new(tokio::io::BufWriter::new(client));
        cork.hold_back();
        cork.write_all(&[7; 1000]).await.unwrap();
        let receiving = tokio::spawn(async move {
            let mut received = [0; 1000];
            server.read_exact(&mut received).await.map(|length| (length, server))
        });
        poll_fn(|cx| cork.poll_release(cx)).await.unwrap();
        assert_eq!(receiving.await.unwrap().unwrap().0, 1000);
    }

    #[tokio::test]
    async fn a_slow_reader_is_waited_for_and_gets_every_byte() {
        let (client, mut server) = duplex(1000);
        let sent: Vec<u8> = (0..500_000_u32).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let sending = tokio::spawn(async move {
            let mut cork = Cork::new(client);
            cork.hold_back();
            cork.write_all(&sent).await.unwrap();
            let held = cork.lock().held.len();
            cork.shutdown().await.unwrap();
            held
        });
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.unwrap();
        assert!(received == expected);
        assert!((1..=HELD_BYTES_MAX).contains(&sending.await.unwrap()), "memory is bounded");
    }
}
