//! Server-sent events: whoever asks is told what happens, as it happens.
//!
//! The store is asked a few times a second, whoever writes to it. A stream ends when nothing will happen any more, when the
//! server stops, and after half an hour, when the client comes again and shows its token again.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, header};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::state::Context;

/// How long after something happened it is seen at the latest.
const PAUSE: Duration = Duration::from_millis(200);
/// Proxies give up on a silent connection after half a minute and more.
const SILENCE_MAX: Duration = Duration::from_secs(15);
const TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// Proxies of one kind hold answers back unless they are told not to.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What one look has found.
#[derive(Default)]
pub(crate) struct News {
    /// Events, as [`event`] writes them; empty: nothing has happened.
    pub(crate) text: String,
    /// Whether this is the last of it.
    pub(crate) is_over: bool,
}

/// Looks for what has happened since it last looked.
pub(crate) trait Follow: Send + 'static {
    /// `None` ends the stream without a last event: what is followed is gone, or a fault of ours. The client asks again, and
    /// gets an answer to that.
    fn look(&mut self) -> impl Future<Output = Option<News>> + Send;
}

/// Answers with what somebody finds from now on; `None` when too many streams are open.
pub(crate) fn stream_of(ctx: &Context, follower: impl Follow) -> Option<Response> {
    let permit = ctx.log_streams.clone().try_acquire_owned().ok()?;
    let now = Instant::now();
    let telling =
        Telling { follower, stop: ctx.stop.clone(), is_over: false, began: now, spoke: now, _permit: permit };
    let pieces = stream::unfold((telling, true), |(mut telling, is_first)| async move {
        let piece =
            if is_first { Some(Bytes::from_static(b"retry: 1000\n\n")) } else { telling.next().await };
        piece.map(|piece| (Ok::<_, Infallible>(piece), (telling, false)))
    });
    let head = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (X_ACCEL_BUFFERING, "no"),
    ];
    Some((head, Body::from_stream(pieces)).into_response())
}

/// Writes one event. JSON has no line breaks, so its data is one line.
pub(crate) fn event<T: Serialize>(text: &mut String, id: Option<&str>, kind: &str, data: &T) {
    // Our shapes have text keys and finite numbers, and a `String` takes everything: neither fails.
    let Ok(data) = serde_json::to_string(data) else { return };
    if let Some(id) = id {
        let _ = writeln!(text, "id: {id}");
    }
    let _ = write!(text, "event: {kind}\ndata: {data}\n\n");
}

/// One open stream.
struct Telling<F> {
    follower: F,
    stop: CancellationToken,
    is_over: bool,
    began: Instant,
    spoke: Instant,
    _permit: OwnedSemaphorePermit,
}

impl<F: Follow> Telling<F> {
    /// The next piece of the answer; `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.is_over && self.began.elapsed() < TIME_MAX && !self.stop.is_cancelled() {
            let News { text, is_over } = self.follower.look().await?;
            self.is_over = is_over;
            if !text.is_empty() {
                self.spoke = Instant::now();
                return Some(text.into());
            }
            if self.spoke.elapsed() >= SILENCE_MAX {
                self.spoke = Instant::now();
                return Some(Bytes::from_static(b": still here\n\n"));
            }
            self.stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await?;
        }
        None
    }
}
