//! `GET /pages/tails/{secret}`: the WebSocket of a tail. Its address is the proof that one may watch; it was given to
//! somebody with a token ([`super::deployments::tails`]).
//!
//! Every message is one event as JSON. What the client says is read and not heeded: wrangler asks for debugging, in a
//! frame without a mask, which RFC 6455 (5.1) forbids and we let pass.

use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use offprint_functions::tail::Watcher;
use offprint_wire::error_code::ErrorCode;
use offprint_wire::tail::PROTOCOL;
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::{ApiError, Result};
use crate::front::PREFIX;
use crate::state::Ctx;

/// How often a client is asked whether it is still there; that keeps proxies from giving up on the connection, too.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// A client of which nothing was heard for so long has gone.
const SILENCE_MAX: Duration = Duration::from_secs(100);
/// How long a client may take to let a message through.
const SEND_MAX: Duration = Duration::from_secs(60);
/// How long a client may take to close as well.
const CLOSE_MAX: Duration = Duration::from_secs(5);
/// Clients have next to nothing to say.
const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// The address to watch at, for a server that is reached at `public_url`.
pub(crate) fn url(public_url: &str, secret: &str) -> String {
    // `http` becomes `ws`, and `https` `wss`.
    let rest = public_url.strip_prefix("http").unwrap_or(public_url);
    format!("ws{rest}{PREFIX}/pages/tails/{secret}")
}

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    Path(secret): Path<String>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    let upgrade = upgrade.map_err(|why| {
        ApiError::explained(ErrorCode::InvalidHeaders, format!("This address takes WebSockets only: {why}."))
    })?;
    let ended = "There is no such tail; it has ended, or it has expired.";
    let watcher = ctx.tails.watch(&secret).ok_or_else(|| ApiError::explained(ErrorCode::NoRoute, ended))?;
    let stop = ctx.stop.clone();
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .accept_unmasked_frames(true)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .max_message_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| Connection { socket, watcher, heard: Instant::now() }.run(stop)))
}

/// One who watches.
struct Connection {
    socket: WebSocket,
    watcher: Watcher,
    heard: Instant,
}

impl Connection {
    async fn run(mut self, stop: CancellationToken) {
        let mut pings = interval(PING_INTERVAL);
        let (code, reason) = loop {
            let sent = tokio::select! {
                message = self.watcher.next() => match message {
                    Some(message) => self.send(Message::text(&*message)).await,
                    None => break (close_code::NORMAL, "The tail has ended."),
                },
                received = self.socket.recv() => {
                    self.heard = Instant::now();
                    matches!(received, Some(Ok(_)))
                }
                _ = pings.tick() => {
                    self.heard.elapsed() < SILENCE_MAX && self.send(Message::Ping(Bytes::new())).await
                }
                () = stop.cancelled() => break (close_code::AWAY, "The server is stopping."),
            };
            if !sent {
                return;
            }
        };
        if self.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await {
            self.hear_out().await;
        }
    }

    /// Reads until the client has closed as well (RFC 6455, 7.1.1). A connection that is dropped with something unread is
    /// broken off, and then the client may not learn why.
    async fn hear_out(&mut self) {
        let closed = async { while let Some(Ok(_)) = self.socket.recv().await {} };
        let _ = timeout(CLOSE_MAX, closed).await;
    }

    /// Whether the client takes a message.
    async fn send(&mut self, message: Message) -> bool {
        matches!(timeout(SEND_MAX, self.socket.send(message)).await, Ok(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_that_of_the_server_with_the_scheme_of_websockets() {
        assert_eq!(url("http://127.0.0.1:8788", "s"), "ws://127.0.0.1:8788/client/v4/pages/tails/s");
        assert_eq!(url("https://pages.example", "s"), "wss://pages.example/client/v4/pages/tails/s");
    }
}
