//! What happens, as server-sent events: of one deploy, or of a workspace.
//!
//! A deploy is told whenever it or one of its steps has changed, as `deploy` with what `GET` answers, and `end` once nothing
//! will change any more. Of a workspace, every event is told from the moment on at which the stream began, as `event`. The
//! store is asked a few times a second, whoever writes to it.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, header};
use offprint_model::deploy::RunStatus;
use offprint_model::listing::{Entity, Filter, Order, Value};
use offprint_store::{ListQuery, Place, Reach};
use offprint_wire::deploys::problem::ProblemCode;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::problem::{Problem, Result};
use super::shown::{shown, with_steps};
use crate::state::Ctx;

const PAUSE: Duration = Duration::from_millis(200);
/// Proxies give up on a silent connection after half a minute and more.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Then the client comes again, and shows its key again.
const TIME_MAX: Duration = Duration::from_secs(30 * 60);
const EVENTS_MAX: u32 = 100;
/// Proxies of one kind hold answers back unless they are told not to.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What is followed.
pub(super) enum Followed {
    /// A deploy.
    Deploy(String),
    /// A workspace.
    Workspace(String),
}

/// Answers with what happens from now on.
pub(super) fn follow(ctx: Ctx, reach: Reach, followed: Followed) -> Result<Response> {
    let permit = ctx.log_streams.clone().try_acquire_owned();
    let permit =
        permit.map_err(|_| Problem::new(ProblemCode::TooManyRequests, "Too many streams are open."))?;
    let now = Instant::now();
    let follower = Follower {
        ctx,
        reach,
        followed,
        shown: String::new(),
        after: None,
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

struct Follower {
    ctx: Ctx,
    reach: Reach,
    followed: Followed,
    /// What was last told of a deploy.
    shown: String,
    /// The cursor of the last event that was told; `None`: nothing was looked at yet.
    after: Option<Place>,
    is_over: bool,
    began: Instant,
    spoke: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    /// The next piece of the answer; `None` at its end. A fault of ours ends the stream: the client asks again, and gets an
    /// answer to that.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.is_over && self.began.elapsed() < TIME_MAX && !self.ctx.stop.is_cancelled() {
            let piece = match &self.followed {
                Followed::Deploy(id) => {
                    let id = id.clone();
                    self.deploy(&id).await?
                }
                Followed::Workspace(id) => {
                    let id = id.clone();
                    self.events(&id).await?
                }
            };
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

    async fn deploy(&mut self, id: &str) -> Option<String> {
        let found = self.ctx.store.find(&self.reach, Entity::Deploy, id).await.ok()??;
        let steps = self.ctx.store.steps(Entity::Deploy, id).await.ok()?;
        let text = serde_json::to_string(&with_steps(&self.ctx, &found, &steps)).ok()?;
        let mut piece = String::new();
        if text != self.shown {
            let _ = write!(piece, "event: deploy\ndata: {text}\n\n");
            self.shown = text;
        }
        let status = found.record.text("status").and_then(RunStatus::parse);
        if status.is_none_or(RunStatus::is_final) {
            piece.push_str("event: end\ndata: {}\n\n");
            self.is_over = true;
        }
        Some(piece)
    }

    async fn events(&mut self, workspace: &str) -> Option<String> {
        let filter = Filter::eq(Entity::Event, "workspaceId", Value::Text(workspace.to_owned()))?;
        let newest_first = Order::newest_first(Entity::Event);
        let Some(place) = self.after.clone() else {
            // Only what comes is told: the place to begin is the newest there is.
            let order = newest_first.clone();
            let asked = ListQuery { filter: filter.clone(), order, place: Place::First, limit: 1 };
            let page = self.ctx.store.list(&self.reach, Entity::Event, &asked).await.ok()?;
            let newest = page.items.first().map(|newest| Place::Before(newest.cursor.clone()));
            self.after = Some(newest.unwrap_or(Place::First));
            return Some(String::new());
        };
        let asked = ListQuery { filter, order: newest_first, place, limit: EVENTS_MAX };
        let page = self.ctx.store.list(&self.reach, Entity::Event, &asked).await.ok()?;
        let mut piece = String::new();
        for item in page.items.iter().rev() {
            let text = serde_json::to_string(&shown(&self.ctx, item)).ok()?;
            let _ = write!(piece, "id: {}\nevent: event\ndata: {text}\n\n", item.record.id());
        }
        if let Some(newest) = page.items.first() {
            self.after = Some(Place::Before(newest.cursor.clone()));
        }
        Some(piece)
    }
}
