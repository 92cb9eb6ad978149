//! What a connection is written to: where it is a plain socket, the kernel can be told more than to take bytes.

use std::io;
use std::os::fd::AsRawFd;
use std::task::{Context, Poll, ready};

use nix::libc::MSG_MORE;
use nix::sys::socket::{MsgFlags, send};
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A connection.
pub(in crate::server) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The socket, if that is all there is below.
    fn socket(&self) -> Option<&TcpStream>;
}

impl Wire for TcpStream {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl Wire for TlsStream<TcpStream> {
    fn socket(&self) -> Option<&TcpStream> {
        None
    }
}

/// Writes bytes that are not sent before more has come, or the end of the connection: so that this does not leave in a
/// packet of its own.
pub(super) fn poll_write_more(
    socket: &TcpStream,
    bytes: &[u8],
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let more = MsgFlags::MSG_NOSIGNAL | MsgFlags::from_bits_retain(MSG_MORE);
    loop {
        ready!(socket.poll_write_ready(cx))?;
        match socket.try_io(Interest::WRITABLE, || Ok(send(socket.as_raw_fd(), bytes, more)?)) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            written => return Poll::Ready(written),
        }
    }
}
