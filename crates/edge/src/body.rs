//! The body of an answer: nothing, bytes in memory, a blob streamed in bounded memory, or what a Worker sends.

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

/// Bytes read from a blob at a time. Two pieces of a stream exist at once: one being sent, one being read.
const PIECE_BYTES: u64 = 256 * 1024;

/// What is sent after the headers.
pub struct EdgeBody(Content);

enum Content {
    Empty,
    Whole(Bytes),
    Stream(Stream),
    Worker(offprint_functions::Body),
}

struct Stream {
    reading: JoinHandle<io::Result<Piece>>,
    bytes_left: u64,
}

struct Piece {
    file: File,
    bytes: Bytes,
}

impl EdgeBody {
    /// No body.
    pub(crate) const fn empty() -> Self {
        Self(Content::Empty)
    }

    /// A body held in memory.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::empty() } else { Self(Content::Whole(bytes)) }
    }

    /// A body of this many bytes, read from the file as the client takes it.
    pub(crate) fn stream(file: File, bytes_left: u64) -> Self {
        if bytes_left == 0 {
            return Self::empty();
        }
        Self(Content::Stream(Stream { reading: read_piece(file, bytes_left), bytes_left }))
    }

    /// What a Worker sends.
    pub(crate) const fn of_worker(body: offprint_functions::Body) -> Self {
        Self(Content::Worker(body))
    }
}

fn read_piece(mut file: File, bytes_left: u64) -> JoinHandle<io::Result<Piece>> {
    spawn_blocking(move || {
        let wanted = bytes_left.min(PIECE_BYTES);
        let mut bytes = Vec::with_capacity(wanted as usize);
        (&mut file).take(wanted).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != wanted {
            // The length was promised in the headers: better a broken connection than a short page.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Piece { file, bytes: bytes.into() })
    })
}

impl Stream {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.bytes_left == 0 {
            return Poll::Ready(None);
        }
        let Piece { file, bytes } =
            match ready!(Pin::new(&mut self.reading).poll(cx)).map_err(io::Error::other) {
                Ok(Ok(piece)) => piece,
                Ok(Err(error)) | Err(error) => {
                    self.bytes_left = 0;
                    return Poll::Ready(Some(Err(error)));
                }
            };
        self.bytes_left -= bytes.len() as u64;
        if self.bytes_left > 0 {
            self.reading = read_piece(file, self.bytes_left);
        }
        Poll::Ready(Some(Ok(bytes)))
    }
}

impl Body for EdgeBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match std::mem::replace(&mut self.0, Content::Empty) {
            Content::Empty => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Content::Stream(mut stream) => {
                let piece = stream.poll_piece(cx).map_ok(Frame::data);
                self.0 = Content::Stream(stream);
                piece
            }
            Content::Worker(mut body) => {
                let frame = Pin::new(&mut body).poll_frame(cx).map_err(io::Error::other);
                self.0 = Content::Worker(body);
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Worker(body) => body.is_end_stream(),
            _ => self.size_hint().exact() == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.0 {
            Content::Empty => 0,
            Content::Whole(bytes) => bytes.len() as u64,
            Content::Stream(stream) => stream.bytes_left,
            Content::Worker(body) => return body.size_hint(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::io::Write;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        file
    }

    #[tokio::test]
    async fn a_stream_sends_every_byte_in_bounded_pieces() {
        let bytes: Vec<u8> = (0..PIECE_BYTES as u32 * 2 + 7).map(|number| number as u8).collect();
        let mut body = EdgeBody::stream(file_of(&bytes), bytes.len() as u64);
        assert_eq!(body.size_hint().exact(), Some(bytes.len() as u64));
        let mut received = Vec::new();
        while let Some(frame) = body.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(piece.len() as u64 <= PIECE_BYTES);
            received.extend_from_slice(&piece);
        }
        assert!(received == bytes && body.is_end_stream());
    }

    #[tokio::test]
    async fn a_short_file_breaks_the_stream() {
        let body = EdgeBody::stream(file_of(b"abc"), 5);
        assert_eq!(body.collect().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn bytes_are_sent_whole() {
        assert_eq!(EdgeBody::whole(Bytes::from_static(b"abc")).collect().await.unwrap().to_bytes(), "abc");
        assert!(EdgeBody::empty().is_end_stream());
    }
}
