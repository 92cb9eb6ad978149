//! What happens, as server-sent events: of one deploy, or of a workspace.
//!
//! A deploy is told whenever it or one of its steps has changed, as `deploy` with what `GET` answers, and `end` once nothing
//! will change any more. Of a workspace, every event is told from the moment on at which the stream began, as `event`; a client
//! that lost its connection goes on behind the event that it names with `Last-Event-ID`.

use axum::response::Response;
use http::HeaderMap;
use offprint_model::deploy::RunStatus;
use offprint_model::listing::{Entity, Filter, Order, Value};
use offprint_store::{ListPage, ListQuery, Place, Reach, StoreError};
use offprint_wire::deploys::problem::ProblemCode;
use serde_json::json;

use super::problem::{Problem, Result};
use super::shown::{shown, with_steps};
use crate::sse::{Follow, News, event, stream_of};
use crate::state::Ctx;

const EVENTS_MAX: u32 = 100;

/// Answers with the progress of a deploy.
pub(super) fn follow_deploy(ctx: &Ctx, reach: Reach, id: String) -> Result<Response> {
    answer(ctx, DeployFollower { ctx: ctx.clone(), reach, id, shown: String::new() })
}

/// Answers with what happens in a workspace, behind the event that the headers name.
pub(super) async fn follow_workspace(
    ctx: &Ctx,
    reach: Reach,
    id: String,
    headers: &HeaderMap,
) -> Result<Response> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
    let mut follower = WorkspaceFollower { ctx: ctx.clone(), reach, id, after: Place::First };
    let place = last.map_or(Place::First, |last| Place::Before(last.to_owned()));
    // Asked for one event, the store says whether the place is one, and which event is the newest.
    let page = follower.page(place.clone(), 1).await.map_err(|error| match error {
        StoreError::BadCursor(why) => Problem::at("Last-Event-ID", why.to_string()),
        error => error.into(),
    })?;
    // Without a word of the client only what comes is told.
    follower.after = match (place, page.items.first()) {
        (Place::First, Some(newest)) => Place::Before(ctx.store.cursor(&page, newest)?),
        (place, _) => place,
    };
    answer(ctx, follower)
}

fn answer(ctx: &Ctx, follower: impl Follow) -> Result<Response> {
    let stream = stream_of(ctx, follower);
    stream.ok_or_else(|| Problem::new(ProblemCode::TooManyRequests, "Too many streams are open."))
}

struct DeployFollower {
    ctx: Ctx,
    reach: Reach,
    id: String,
    /// What was last told.
    shown: String,
}

impl Follow for DeployFollower {
    async fn look(&mut self) -> Option<News> {
        let found = self.ctx.store.find(&self.reach, Entity::Deploy, &self.id).await.ok()??;
        let steps = self.ctx.store.steps(Entity::Deploy, &self.id).await.ok()?;
        let mut news = News::default();
        let mut told = String::new();
        event(&mut told, None, "deploy", &with_steps(&self.ctx, &found, &steps));
        if told != self.shown {
            news.text.push_str(&told);
            self.shown = told;
        }
        let status = found.record.text("status").and_then(RunStatus::parse);
        if status.is_none_or(RunStatus::is_final) {
            event(&mut news.text, None, "end", &json!({}));
            news.is_over = true;
        }
        Some(news)
    }
}

struct WorkspaceFollower {
    ctx: Ctx,
    reach: Reach,
    id: String,
    /// Where in the list, newest first, begins what was told.
    after: Place,
}

impl WorkspaceFollower {
    async fn page(&self, place: Place, limit: u32) -> Result<ListPage, StoreError> {
        let of_workspace = Filter::eq(Entity::Event, "workspaceId", Value::Text(self.id.clone()));
        let filter = Filter::All(of_workspace.into_iter().collect());
        let asked = ListQuery { filter, order: Order::newest_first(Entity::Event), place, limit };
        self.ctx.store.list(&self.reach, Entity::Event, &asked).await
    }
}

impl Follow for WorkspaceFollower {
    /// The id of each event in the stream is its cursor: what a client sends back is then the place to go on.
    async fn look(&mut self) -> Option<News> {
        let page = self.page(self.after.clone(), EVENTS_MAX).await.ok()?;
        let mut news = News::default();
        for item in page.items.iter().rev() {
            let cursor = self.ctx.store.cursor(&page, item).ok()?;
            event(&mut news.text, Some(&cursor), "event", &shown(&self.ctx, item));
            self.after = Place::Before(cursor);
        }
        Some(news)
    }
}
