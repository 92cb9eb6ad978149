//! Whether a connection is still of use.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use bytes::Bytes;
use h2::server::Connection;
use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep};

use super::cork::Cork;

/// Finds out now and then whether a connection is still of use.
pub(super) struct Pulse {
    timer: Pin<Box<Sleep>>,
    interval: Duration,
    pings: Option<PingPong>,
    is_pinged: bool,
    /// Requests at the last beat.
    accepted: u64,
}

impl Pulse {
    pub(super) fn new(pings: Option<PingPong>, interval: Duration) -> Self {
        Self { timer: Box::pin(sleep(interval)), interval, pings, is_pinged: false, accepted: 0 }
    }

    /// Takes leave of a client that asks for nothing any more. One with answers under way is asked for a sign of
    /// life; whether none has come.
    pub(super) fn has_stopped<S>(
        &mut self,
        connection: &mut Connection<Cork<S>, Bytes>,
        accepted: u64,
        cx: &mut Context<'_>,
    ) -> bool
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        while self.timer.as_mut().poll(cx).is_ready() {
            self.timer.as_mut().reset(Instant::now() + self.interval);
            let is_idle = accepted == self.accepted && !connection.has_streams();
            self.accepted = accepted;
            let Some(pings) = &mut self.pings else { continue };
            if self.is_pinged && pings.poll_pong(cx).is_pending() {
                return true;
            }
            self.is_pinged = !is_idle && pings.send_ping(Ping::opaque()).is_ok();
            if is_idle {
                connection.graceful_shutdown();
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::task::Poll;

    use h2::client::{self, SendRequest};
    use h2::server::{self, SendResponse};
    use tokio::io::{DuplexStream, duplex};
    use tokio::time::timeout;

    type Client = client::Connection<DuplexStream, Bytes>;

    /// How a connection whose requests are never answered ends.
    #[derive(Debug, PartialEq, Eq)]
    enum End {
        Left,
        Stopped,
    }

    async fn connect() -> (impl Future<Output = End>, SendRequest<Bytes>, Client) {
        let (near, far) = duplex(1 << 16);
        let cork = Cork::new(near);
        let (server, client) = tokio::join!(server::handshake(cork), client::handshake(far));
        let mut server: server::Connection<_, Bytes> = server.unwrap();
        let (sender, client) = client.unwrap();
        let end = async move {
            let mut pulse = Pulse::new(server.ping_pong(), Duration::from_millis(10));
            let mut kept: Vec<SendResponse<Bytes>> = Vec::new();
            poll_fn(move |cx| {
                loop {
                    if pulse.has_stopped(&mut server, kept.len() as u64, cx) {
                        return Poll::Ready(End::Stopped);
                    }
                    match server.poll_accept(cx) {
                        Poll::Ready(Some(Ok((_, respond)))) => kept.push(respond),
                        Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(End::Left),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            })
            .await
        };
        (end, sender, client)
    }

    fn ask(sender: &mut SendRequest<Bytes>) -> client::ResponseFuture {
        sender.send_request(http::Request::new(()), true).unwrap().0
    }

    #[tokio::test]
    async fn a_client_that_asks_for_nothing_is_left() {
        let (end, _sender, client) = connect().await;
        let client = tokio::spawn(client);
        assert_eq!(end.await, End::Left);
        client.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_client_that_waits_for_its_answer_is_kept_while_it_lives() {
        let (end, mut sender, client) = connect().await;
        let client = tokio::spawn(client);
        let _answer = ask(&mut sender);
        let end = tokio::spawn(end);
        let (mut end, client) = (end, client);
        assert!(timeout(Duration::from_millis(400), &mut end).await.is_err(), "it goes on");
        // Now nobody is there to answer.
        client.abort();
        let _ = client.await;
        end.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_gives_no_sign_of_life_is_broken_off_with() {
        let (end, mut sender, mut client) = connect().await;
        let _answer = ask(&mut sender);
        // Its request goes out, and then it is not heard of again, though the line is open.
        poll_fn(|cx| {
            let _ = Pin::new(&mut client).poll(cx);
            Poll::Ready(())
        })
        .await;
        assert_eq!(end.await, End::Stopped);
        drop(client);
    }
}
