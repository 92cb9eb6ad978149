//! Writing an answer that is ready.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use offprint_edge::ReadyAnswer;
use tokio::io::ReadBuf;

use super::wire::{Wire, poll_write_more};
use crate::server::activity::GATHERED_BYTES_MAX;
use crate::server::date;
use crate::server::vigil::Vigil;

/// What is added to the head of an answer, in bytes: two lines and an empty one.
const ADDED_BYTES_MAX: usize = 128;
/// The longest head that is sent here.
pub(super) const HEAD_BYTES_MAX: usize = GATHERED_BYTES_MAX - ADDED_BYTES_MAX;

/// What of an answer the kernel has not taken yet.
#[derive(Default)]
pub(super) struct Sending {
    head: Bytes,
    body: Bytes,
    /// Whether the connection ends after it.
    is_last: bool,
    /// Whether a layer below may still hold some of it back.
    is_flushing: bool,
}

impl Sending {
    /// Sends an answer, as far as the kernel takes it. The one before has been sent.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn send<S: Wire>(
        &mut self,
        stream: &mut S,
        answer: &ReadyAnswer,
        is_last: bool,
        vigil: &Vigil<'_, '_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut room = [MaybeUninit::uninit(); GATHERED_BYTES_MAX];
        let mut room = ReadBuf::uninit(&mut room);
        put_head(&mut room, answer, is_last);
        (self.is_last, self.is_flushing) = (is_last, true);
        // Copying a short body costs less than what the kernel does to take two pieces.
        if answer.body().len() <= room.remaining() {
            room.put_slice(answer.body());
        } else {
            self.body = answer.body().clone();
        }
        let mut head = room.filled();
        while !head.is_empty() {
            match self.poll_write(stream, head, vigil, cx) {
                Poll::Ready(Ok(of_head)) => head = &head[of_head..],
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.head = Bytes::copy_from_slice(head);
                    return Poll::Pending;
                }
            }
        }
        self.poll(stream, vigil, cx)
    }

    /// Goes on until everything is sent.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn poll<S: Wire>(
        &mut self,
        stream: &mut S,
        vigil: &Vigil<'_, '_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !(self.head.is_empty() && self.body.is_empty()) {
            let head = self.head.clone();
            let of_head = ready!(self.poll_write(stream, &head, vigil, cx))?;
            self.head.advance(of_head);
        }
        if self.is_flushing {
            ready!(Pin::new(stream).poll_flush(cx))?;
            self.is_flushing = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes some of a head and of the body behind it; yields how much of the head.
    fn poll_write<S: Wire>(
        &mut self,
        stream: &mut S,
        head: &[u8],
        vigil: &Vigil<'_, '_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let written = match (head, &self.body[..], stream.socket()) {
            // It leaves together with the end of the connection.
            (only, [], Some(socket)) if self.is_last => poll_write_more(socket, only, cx),
            (only, [], _) | ([], only, _) => Pin::new(stream).poll_write(cx, only),
            (head, body, _) => {
                Pin::new(stream).poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)])
            }
        };
        let written = ready!(written)?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        vigil.step();
        let of_head = written.min(head.len());
        self.body.advance(written - of_head);
        if self.body.is_empty() {
            // An asset is not to be held for the sake of a client that has it.
            self.body = Bytes::new();
        }
        Poll::Ready(Ok(of_head))
    }
}

fn put_head(room: &mut ReadBuf<'_>, answer: &ReadyAnswer, is_last: bool) {
    let (fields, content_length) = answer.head();
    room.put_slice(fields);
    if is_last {
        room.put_slice(b"connection: close\r\n");
    }
    room.put_slice(content_length);
    room.put_slice(b"date: ");
    date::with_now(|date| room.put_slice(date));
    room.put_slice(b"\r\n\r\n");
}
