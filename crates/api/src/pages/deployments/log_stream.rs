//! `GET …/deployments/{deployment_id}/history/logs/stream`: the log as it is written, as server-sent events. An
//! extension of the Pages API.
//!
//! `line` has the number of the line as its id, so that a client that lost its connection goes on where it was, with
//! `Last-Event-ID` or `?after=`. `stage` tells of a stage that changed, `end` that nothing follows. The store is asked a
//! few times a second: the log is there, whoever writes it.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, Uri, header};
use offprint_model::id::DeploymentId;
use offprint_model::stages::{StageName, StageStatus, Stages};
use offprint_store::{LogTail, ProjectScope};
use offprint_wire::error_code::ErrorCode;
use offprint_wire::json::InvalidMember;
use offprint_wire::log::{LogEnd, LogLine};
use offprint_wire::stage;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::PathId;
use crate::auth::{InProject, Read};
use crate::error::Result;
use crate::query::Parameters;
use crate::state::Ctx;

/// How long after a line was written it is seen at the latest.
const PAUSE: Duration = Duration::from_millis(200);
/// Proxies give up on a silent connection after half a minute and more.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Then the client comes again, and shows its token again.
const TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// Lines of one piece of the answer.
const LINES_MAX: u32 = 128;
/// Proxies of one kind hold answers back unless they are told not to.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Somebody who follows a log.
struct Follower {
    ctx: Ctx,
    scope: ProjectScope,
    id: DeploymentId,
    /// The last line that was sent.
    after: u64,
    /// The statuses that were sent.
    shown: [StageStatus; 5],
    is_over: bool,
    began: Instant,
    spoke: Instant,
    _permit: OwnedSemaphorePermit,
}

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Read>,
    PathId(id): PathId,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response> {
    let after = after(&headers, &Parameters::of(&uri)?)?;
    // A deployment that is not there is an answer in the envelope, and not an empty stream.
    ctx.store.logs_after(&caller.scope, &id, u64::MAX, 0).await?;
    let permit = ctx.log_streams.clone().try_acquire_owned().map_err(|_| ErrorCode::TooManyStreams)?;
    let now = Instant::now();
    let follower = Follower {
        ctx,
        scope: caller.scope,
        id,
        after,
        shown: [StageStatus::Idle; 5],
        is_over: false,
        began: now,
        spoke: now,
        _permit: permit,
    };
    let pieces = stream::unfold((follower, true), |(mut follower, is_first)| async move {
        let piece =
            if is_first { Some(Bytes::from_static(b"retry: 1000\n\n")) } else { follower.next().await };
        piece.map(|piece| (Ok::<_, Infallible>(piece), (follower, false)))
    });
    let head = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (X_ACCEL_BUFFERING, "no"),
    ];
    Ok((head, Body::from_stream(pieces)).into_response())
}

/// The line after which to begin; the header is newer than the address, which a client repeats unchanged.
fn after(headers: &HeaderMap, parameters: &Parameters) -> Result<u64> {
    let parse = |name: &str, text: &str| {
        let number = text.parse().map_err(|_| InvalidMember::new(name, "must be the number of a line"));
        number.map_err(Into::into)
    };
    match headers.get("last-event-id") {
        Some(id) if !id.is_empty() => parse("Last-Event-ID", id.to_str().unwrap_or_default()),
        _ => parameters.get("after").map_or(Ok(0), |after| parse("after", after)),
    }
}

impl Follower {
    /// The next piece of the answer; `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.is_over && self.began.elapsed() < TIME_MAX && !self.ctx.stop.is_cancelled() {
            // A deployment may be deleted while it is followed. That, or a fault of ours, ends the stream without
            // its last event: the client asks again, and gets an answer to that.
            let tail = self.ctx.store.logs_after(&self.scope, &self.id, self.after, LINES_MAX).await.ok()?;
            let piece = self.events(&tail);
            if !piece.is_empty() {
                self.spoke = Instant::now();
                return Some(piece.into());
            }
            if self.spoke.elapsed() >= SILENCE_MAX {
                self.spoke = Instant::now();
                return Some(Bytes::from_static(b": still here\n\n"));
            }
            let stop = self.ctx.stop.clone();
            stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await?;
        }
        None
    }

    fn events(&mut self, tail: &LogTail) -> String {
        let mut piece = String::new();
        for (n, line) in &tail.lines {
            event(&mut piece, Some(*n), "line", &LogLine::from(line.clone()));
            self.after = *n;
        }
        // More lines may be there, and they are older than the state of the stages.
        if tail.lines.len() < LINES_MAX as usize {
            self.tell_stages(&tail.deployment.stages, &mut piece);
        }
        piece
    }

    fn tell_stages(&mut self, stages: &Stages, piece: &mut String) {
        for (shape, name) in stage::all(stages).iter().zip(StageName::ALL) {
            let status = stages.get(name).status;
            if std::mem::replace(&mut self.shown[name as usize], status) != status {
                event(piece, None, "stage", shape);
            }
        }
        if stages.is_terminal() {
            event(piece, None, "end", &LogEnd::new(stages));
            self.is_over = true;
        }
    }
}

/// Writes one event. JSON has no line breaks, so its data is one line.
fn event<T: Serialize>(piece: &mut String, id: Option<u64>, kind: &str, data: &T) {
    // Our shapes have text keys and finite numbers, and a `String` takes everything: neither fails.
    let Ok(data) = serde_json::to_string(data) else { return };
    if let Some(id) = id {
        let _ = writeln!(piece, "id: {id}");
    }
    let _ = write!(piece, "event: {kind}\ndata: {data}\n\n");
}
