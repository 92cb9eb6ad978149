//! Which protocol a plain connection speaks: a client that knows the server says so with its first bytes
//! (RFC 9113, 3.3).

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What HTTP/2 begins with.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Longer than the head of most requests: what is read here is not read again, and a connection that brings one
/// request needs one reading.
const FIRST_BYTES_MAX: usize = 4096;

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Reads on until the protocol is clear, and yields it with the connection as it was before the reading.
///
/// # Errors
/// The connection cannot be read.
pub(super) async fn recognize<S: AsyncRead + Unpin>(
    connection: Prefixed<S>,
) -> io::Result<(Protocol, Prefixed<S>)> {
    let (mut stream, mut first) = connection.into_parts();
    loop {
        let protocol = match protocol_of(&first) {
            Some(protocol) => protocol,
            None => {
                let before = first.len();
                poll_fn(|cx| read_more(&mut stream, &mut first, cx)).await?;
                if first.len() > before {
                    continue;
                }
                // The end came early: whatever it was, HTTP/1 answers or falls silent.
                Protocol::Http1
            }
        };
        return Ok((protocol, Prefixed::new(first, stream)));
    }
}

/// The protocol that begins so; `None` while it can be either.
pub(super) fn protocol_of(first: &[u8]) -> Option<Protocol> {
    let known = first.len().min(HTTP2_PREFACE.len());
    if first[..known] != HTTP2_PREFACE[..known] {
        return Some(Protocol::Http1);
    }
    (known == HTTP2_PREFACE.len()).then_some(Protocol::Http2)
}

/// Reads into the stack, so that a connection that waits holds no buffer, and keeps what came.
fn read_more<S: AsyncRead + Unpin>(
    stream: &mut S,
    into: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let mut buffer = [MaybeUninit::uninit(); FIRST_BYTES_MAX];
    let mut buffer = ReadBuf::uninit(&mut buffer);
    ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
    into.extend_from_slice(buffer.filled());
    Poll::Ready(Ok(()))
}

/// A connection whose first bytes were read already, and are read again.
pub(super) struct Prefixed<S> {
    first: Vec<u8>,
    given: usize,
    stream: S,
}

impl<S> Prefixed<S> {
    /// A connection of which these bytes were read.
    pub(super) const fn new(first: Vec<u8>, stream: S) -> Self {
        Self { first, given: 0, stream }
    }

    /// The connection, and what was read and not read again.
    pub(super) fn into_parts(mut self) -> (S, Vec<u8>) {
        self.first.drain(..self.given);
        (self.stream, self.first)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let rest = &this.first[this.given..];
        if rest.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let given = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..given]);
        this.given += given;
        if this.given == this.first.len() {
            (this.first, this.given) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
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
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    /// What is recognized when these pieces come one by one, and what is read afterwards.
    async fn recognized(pieces: &[&[u8]]) -> (Protocol, Vec<u8>) {
        let (mut client, server) = duplex(64);
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
        let sending = tokio::spawn(async move {
            for piece in pieces {
                client.write_all(&piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let (protocol, mut stream) = recognize(Prefixed::new(Vec::new(), server)).await.unwrap();
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.unwrap();
        sending.await.unwrap();
        (protocol, read)
    }

    #[tokio::test]
    async fn the_first_bytes_tell_and_are_read_again() {
        let long = [b"GET /".as_slice(), &[b'a'; 10_000], b" HTTP/1.1\r\n\r\n"].concat();
        for (bytes, protocol) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], Protocol::Http1),
            (b"P", Protocol::Http1),
            (b"PRI * HTTP/1.1\r\n\r\n", Protocol::Http1),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", Protocol::Http1),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Protocol::Http2),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04", Protocol::Http2),
            (b"", Protocol::Http1),
            (&long, Protocol::Http1),
        ] {
            assert_eq!(recognized(&[bytes]).await, (protocol, bytes.to_vec()));
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(recognized(&single).await, (protocol, bytes.to_vec()), "byte by byte");
        }
    }
}
