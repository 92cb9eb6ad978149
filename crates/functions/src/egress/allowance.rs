//! How much of the network one deployment may use.
//!
//! Which of its requests a subrequest belongs to cannot be told, so it is not subrequests of a request that are
//! bounded, but those of a minute, their bytes, and how many go on at once.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::body::{Body, BoxError, Observed};
use crate::workerd::FunctionLimits;

const MINUTE: Duration = Duration::from_secs(60);

/// What a deployment may use, and what it has used of it.
pub(crate) struct Allowance {
    connections: Arc<Semaphore>,
    connections_max: usize,
    requests_max: u64,
    bytes_max: u64,
    /// When the minute began, and the requests in it.
    minute: Mutex<(Instant, u64)>,
    bytes: AtomicU64,
}

impl Allowance {
    pub(crate) fn new(limits: &FunctionLimits) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(limits.connections)),
            connections_max: limits.connections,
            requests_max: limits.subrequests_a_minute,
            bytes_max: limits.subrequest_bytes_a_minute,
            minute: Mutex::new((Instant::now(), 0)),
            bytes: AtomicU64::new(0),
        }
    }

    /// Takes one request off.
    ///
    /// # Errors
    /// What there is none left of, for the Function.
    pub(super) fn spend(self: &Arc<Self>) -> Result<Spent, String> {
        let too_many = |what: String| format!("network: this deployment has {what}");
        let requests = {
            let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
            if minute.0.elapsed() >= MINUTE {
                *minute = (Instant::now(), 0);
                self.bytes.store(0, Ordering::Relaxed);
            }
            minute.1 += 1;
            minute.1
        };
        if requests > self.requests_max {
            return Err(too_many(format!("made more than {} requests in a minute", self.requests_max)));
        }
        if self.bytes.load(Ordering::Relaxed) > self.bytes_max {
            return Err(too_many(format!("moved more than {} bytes in a minute", self.bytes_max)));
        }
        let permit = Arc::clone(&self.connections).try_acquire_owned();
        let permit =
            permit.map_err(|_| too_many(format!("more than {} connections open", self.connections_max)))?;
        Ok(Spent(Arc::new(One { allowance: Arc::clone(self), _permit: permit })))
    }
}

/// One request's part of an allowance; its connection counts until the last clone goes.
#[derive(Clone)]
pub(crate) struct Spent(Arc<One>);

struct One {
    allowance: Arc<Allowance>,
    _permit: OwnedSemaphorePermit,
}

impl Spent {
    /// Counts bytes that were moved.
    ///
    /// # Errors
    /// They were too many.
    fn moved(&self, bytes: usize) -> io::Result<()> {
        let allowance = &self.0.allowance;
        let before = allowance.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if before > allowance.bytes_max {
            return Err(io::Error::other("more bytes than a deployment may move in a minute"));
        }
        Ok(())
    }

    /// A body whose bytes count.
    pub(super) fn counted_body<B>(self, body: B) -> Body
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        Observed::new(body, move |bytes| self.moved(bytes)).boxed_unsync()
    }

    /// A stream whose bytes count.
    pub(super) fn counted<S>(self, stream: S) -> CountedStream<S> {
        CountedStream { stream, spent: self }
    }
}

/// A stream whose bytes count.
pub(crate) struct CountedStream<S> {
    stream: S,
    spent: Spent,
}

impl<S: AsyncRead + Unpin> AsyncRead for CountedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        match polled {
            Poll::Ready(Ok(())) => Poll::Ready(self.spent.moved(buffer.filled().len() - before)),
            other => other,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        match polled {
            Poll::Ready(Ok(written)) => Poll::Ready(self.spent.moved(written).map(|()| written)),
            other => other,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
