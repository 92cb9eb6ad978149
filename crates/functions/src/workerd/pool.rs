//! Connections to one process.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::body::Body;

/// A connection that has rested for longer is not used again: the process closes it after five seconds, and a request
/// that crosses this on its way would be lost.
const REST_MAX: Duration = Duration::from_secs(3);
/// Connections that rest at a time.
const RESTING_MAX: usize = 64;
/// How long a connection that has answered may take to be free.
const TURN: Duration = Duration::from_millis(5);
/// Headers of one answer.
const HEADERS_MAX: usize = 1024;
/// How often a request that was never sent is tried on another connection.
const TRIES: usize = 3;

/// The connections.
pub(super) struct Pool {
    /// The directory of the socket, held open: the path of a socket has 107 bytes at the most.
    directory: File,
    socket: &'static str,
    resting: Mutex<Vec<(SendRequest<Body>, Instant)>>,
}

/// A connection that is in use.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    pool: Arc<Pool>,
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error("no connection: {0}")]
    Connect(io::Error),
    #[error(transparent)]
    Http(hyper::Error),
}

impl Pool {
    /// Connects to this socket in `directory`.
    pub(super) fn new(directory: &Path, socket: &'static str) -> io::Result<Self> {
        Ok(Self { directory: File::open(directory)?, socket, resting: Mutex::default() })
    }

    /// Sends a request, and gives back the head of the answer with the connection that its body comes by.
    pub(super) async fn send(
        self: &Arc<Self>,
        mut request: Request<Body>,
    ) -> Result<(Response<Incoming>, Connection), SendError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut sender = self.sender().await?;
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, Connection { sender, pool: Arc::clone(self) })),
                Err(mut error) => match error.take_message() {
                    Some(unsent) if tries < TRIES => request = unsent,
                    _ => return Err(SendError::Http(error.into_error())),
                },
            }
        }
    }

    async fn sender(&self) -> Result<SendRequest<Body>, SendError> {
        while let Some(mut sender) = self.rested() {
            // Its last answer has been read to the end, so this is no more than a task's turn away; unless the answer
            // came before the whole of its request, which may take for ever.
            if sender.is_ready() || matches!(timeout(TURN, sender.ready()).await, Ok(Ok(()))) {
                return Ok(sender);
            }
        }
        let path: PathBuf = format!("/proc/self/fd/{}/{}", self.directory.as_raw_fd(), self.socket).into();
        let stream = UnixStream::connect(path).await.map_err(SendError::Connect)?;
        let mut client = http1::Builder::new();
        client.max_headers(HEADERS_MAX);
        let (sender, connection) = client.handshake(TokioIo::new(stream)).await.map_err(SendError::Http)?;
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }

    /// The connection that has rested for the shortest time.
    fn rested(&self) -> Option<SendRequest<Body>> {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let (sender, since) = resting.pop()?;
        if since.elapsed() > REST_MAX {
            resting.clear();
            return None;
        }
        Some(sender)
    }
}

impl Connection {
    /// Its answer has been read to the end: it may be used again.
    pub(super) fn rest(self) {
        let Self { sender, pool } = self;
        let mut resting = pool.resting.lock().unwrap_or_else(PoisonError::into_inner);
        if !sender.is_closed() && resting.len() < RESTING_MAX {
            resting.push((sender, Instant::now()));
        }
    }
}
