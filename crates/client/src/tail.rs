//! Follows what the Functions of a deployment say while they run.
//!
//! The API names a WebSocket, whose address is all the proof that it asks for. The connection is made as every other
//! call is, by reqwest, with its certificates and proxies; only the frames are another library's.

use std::time::Duration;

use base64_simd::STANDARD;
use futures_util::{SinkExt, StreamExt};
use offprint_wire::tail::{PROTOCOL, Tail, filters_body};
use reqwest::header::{
    CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{StatusCode, Upgraded, Url};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::api::{PagesClient, http_to};
use crate::error::{ClientError, ErrorKind};

pub use offprint_wire::tail::{Filter, TailEvent};

const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
/// The server pings more often than this.
const SILENCE_MAX: Duration = Duration::from_secs(120);
const KEY_BYTES: usize = 16;

/// A tail that is watched.
pub struct Tailing {
    client: PagesClient,
    project: String,
    deployment: String,
    id: String,
    socket: WebSocketStream<Upgraded>,
}

impl PagesClient {
    /// Begins to follow a deployment, by its full id.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn tail(
        &self,
        project: &str,
        deployment: &str,
        filters: &[Filter],
    ) -> Result<Tailing, ClientError> {
        let tail = self.start_tail(project, deployment, &filters_body(filters)).await?;
        let (project, deployment) = (project.to_owned(), deployment.to_owned());
        match connect(&tail).await {
            Ok(socket) => Ok(Tailing { client: self.clone(), project, deployment, id: tail.id, socket }),
            Err(error) => {
                // It would end by itself as well.
                let _ = self.end_tail(&project, &deployment, &tail.id).await;
                Err(error)
            }
        }
    }
}

impl Tailing {
    /// The next event; `None` when the server has ended the tail.
    ///
    /// # Errors
    /// The connection broke, or what came over it is no event.
    pub async fn next(&mut self) -> Result<Option<TailEvent>, ClientError> {
        loop {
            let received = timeout(SILENCE_MAX, self.socket.next()).await;
            let received = received.map_err(|_| failed(ErrorKind::TimedOut, "the server is silent"))?;
            let text = match received {
                None | Some(Ok(Message::Close(_))) => return Ok(None),
                Some(Ok(Message::Text(text))) => text.as_bytes().to_vec(),
                Some(Ok(Message::Binary(bytes))) => bytes.to_vec(),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Err(error)) => return Err(failed(ErrorKind::Interrupted, error.to_string())),
            };
            let event = serde_json::from_slice(&text);
            return event.map(Some).map_err(|error| failed(ErrorKind::Malformed, error.to_string()));
        }
    }

    /// Ends the tail.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn end(mut self) -> Result<(), ClientError> {
        // A connection that is gone need not be closed.
        let _ = self.socket.send(Message::Close(None)).await;
        self.client.end_tail(&self.project, &self.deployment, &self.id).await
    }
}

/// The handshake of RFC 6455. The key proves nothing here, where the server is one that we have asked for the address.
async fn connect(tail: &Tail) -> Result<WebSocketStream<Upgraded>, ClientError> {
    let address = tail.url.strip_prefix("ws").map(|rest| format!("http{rest}"));
    let address = address.and_then(|address| Url::parse(&address).ok());
    let address =
        address.ok_or_else(|| failed(ErrorKind::Malformed, "the server names no address for the tail"))?;
    let origin = address.origin().ascii_serialization();
    let broke = |error| ClientError::transport("tail", &origin, error);
    let http = http_to(&address).http1_only().build().map_err(broke)?;
    let request = http
        .get(address.clone())
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, STANDARD.encode_to_string(rand::random::<[u8; KEY_BYTES]>()))
        .header(SEC_WEBSOCKET_PROTOCOL, PROTOCOL);
    let late = |_| failed(ErrorKind::TimedOut, "no answer in time");
    let answer = timeout(OPEN_TIMEOUT, request.send()).await.map_err(late)?.map_err(broke)?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        let why = format!("the server answers {} and not with a WebSocket", answer.status());
        return Err(failed(ErrorKind::Rejected, why));
    }
    let upgraded = answer.upgrade().await.map_err(broke)?;
    Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await)
}

fn failed(kind: ErrorKind, why: impl Into<String>) -> ClientError {
    ClientError::local(kind, "tail", why)
}
