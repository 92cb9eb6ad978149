//! The one listener: accepts connections and hands each to the protocol it speaks.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::body::BoxError;
use super::doors::{Doors, Peer};
use super::http1::Http1;
use super::http2::Http2;
use super::lane::{Exit, Lane, Manners, Wire};
use super::protocol::{Prefixed, Protocol, recognize};
use super::stop::Stop;
use super::tls::{ALPN_HTTP2, Tls, session_of};
use super::vigil::Vigil;

/// How long a client may take to send the head of a request, and how long an idle connection is kept.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: u32 = 4096;

/// Listens at an address.
///
/// # Errors
/// The address cannot be had.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A server that is started again must not wait for the connections of the one before.
    socket.set_reuseaddr(true)?;
    // Answers go out in one write as a rule; waiting for more to say would only delay them. Set here, connections
    // have it from their beginning.
    socket.set_nodelay(true)?;
    // A WebSocket may be silent for hours; this finds out when its client is no more.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What every connection needs.
pub(super) struct Connections {
    doors: Arc<Doors>,
    tls: Option<Tls>,
    http1: Http1,
    http2: Http2,
    stop: Stop,
}

impl Connections {
    pub(super) fn new(doors: Arc<Doors>, tls: Option<Tls>, early_hints: bool) -> Self {
        Self { doors, tls, http1: Http1::new(), http2: Http2::new(early_hints), stop: Stop::default() }
    }

    /// Serves until `stop`, then lets requests in flight finish for at most `grace`.
    pub(super) async fn serve(self, listener: TcpListener, stop: CancellationToken, grace: Duration) {
        let (this, open) = (Arc::new(self), TaskTracker::new());
        let mut told = pin!(stop.cancelled());
        loop {
            tokio::select! {
                () = &mut told => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, remote)) => this.spawn(stream, remote, &open),
                    Err(error) => {
                        // Out of file descriptors, mostly: give the open connections time to end.
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
        drop(listener);
        this.stop.tell();
        open.close();
        if timeout(grace, open.wait()).await.is_err() {
            tracing::warn!("requests were still in flight when the shutdown grace ended");
        }
    }

    /// A connection has a task of its own; the two kinds are spawned apart, so that the one without TLS is as
    /// small as it can be.
    fn spawn(self: &Arc<Self>, stream: TcpStream, remote: SocketAddr, open: &TaskTracker) {
        let this = Arc::clone(self);
        match self.tls.clone() {
            None => open.spawn(async move {
                let _open = this.doors.metrics.connected();
                note(this.plain(stream, remote).await);
            }),
            Some(tls) => open.spawn(async move {
                let _open = this.doors.metrics.connected();
                note(this.encrypted(stream, remote, tls).await);
            }),
        };
    }

    async fn plain(&self, stream: TcpStream, remote: SocketAddr) -> Result<(), BoxError> {
        let manners = Manners { is_new: true, says_goodbye: false };
        match self.http1(Prefixed::new(Vec::new(), stream), manners, Peer { remote, tls: None }).await? {
            None => Ok(()),
            // Apart, or every connection would have the size of these.
            Some(opened) => Box::pin(self.unrecognized(opened, remote)).await,
        }
    }

    /// Serves HTTP/1.1 to the end, on the lane as far as possible. Yields a connection with its first bytes where
    /// these are not clearly of HTTP/1.
    async fn http1<S>(
        &self,
        stream: Prefixed<S>,
        manners: Manners,
        peer: Peer,
    ) -> Result<Option<Prefixed<S>>, BoxError>
    where
        S: Wire,
    {
        let told = pin!(self.stop.told());
        let mut vigil = Vigil::new(&self.stop, told);
        let mut lane = Lane::new(stream, manners);
        loop {
            match lane.run(&self.doors, &mut vigil).await? {
                Exit::Over => return Ok(None),
                Exit::Unrecognized => return Ok(Some(lane.into_prefixed())),
                Exit::Request => {}
            }
            let (stream, doors) = (lane.into_prefixed(), Arc::clone(&self.doors));
            let served = Box::pin(self.http1.serve(stream, peer, doors, &mut vigil)).await?;
            let Some(stream) = served else { return Ok(None) };
            lane = Lane::new(stream, Manners { is_new: false, ..manners });
        }
    }

    /// Finds out what a connection speaks that does not begin like HTTP/1.
    async fn unrecognized(&self, stream: Prefixed<TcpStream>, remote: SocketAddr) -> Result<(), BoxError> {
        let recognized = tokio::select! {
            biased;
            recognized = timeout(IDLE_TIMEOUT, recognize(stream)) => recognized,
            () = self.stop.told() => return Ok(()),
        };
        // Most clients that connect ahead and then do not ask close by themselves; a silent one is no error.
        let Ok(recognized) = recognized else { return Ok(()) };
        let peer = Peer { remote, tls: None };
        match recognized? {
            (Protocol::Http1, stream) => {
                let manners = Manners { is_new: false, says_goodbye: false };
                self.http1(stream, manners, peer).await.map(|_| ())
            }
            (Protocol::Http2, stream) => {
                self.http2.serve(stream, peer, Arc::clone(&self.doors), &self.stop).await
            }
        }
    }

    async fn encrypted(&self, stream: TcpStream, remote: SocketAddr, tls: Tls) -> Result<(), BoxError> {
        let accepted = tokio::select! {
            accepted = tls.accept(stream) => accepted,
            () = self.stop.told() => return Ok(()),
        };
        let stream = accepted.inspect_err(|_| self.doors.metrics.tls_failed())?;
        let session = stream.get_ref().1;
        let speaks_http2 = session.alpn_protocol() == Some(ALPN_HTTP2);
        let peer = Peer { remote, tls: session_of(session) };
        if speaks_http2 {
            Box::pin(self.http2.serve(stream, peer, Arc::clone(&self.doors), &self.stop)).await
        } else {
            let manners = Manners { is_new: false, says_goodbye: true };
            self.http1(Prefixed::new(Vec::new(), stream), manners, peer).await.map(|_| ())
        }
    }
}

/// Clients may do as they please; it is of interest only to who looks for it.
fn note(ended: Result<(), BoxError>) {
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended badly");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_do_not_wait_to_say_more() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // Not every machine has IPv6.
            let Ok(listener) = bind(address.parse().unwrap()) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap());
            let (accepted, _client) = tokio::join!(listener.accept(), client);
            assert!(accepted.unwrap().0.nodelay().unwrap(), "{address}");
        }
    }
}
