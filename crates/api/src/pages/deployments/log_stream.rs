//! `GET …/deployments/{deployment_id}/history/logs/stream`: the log as it is written, as server-sent events. An
//! extension of the Pages API.
//!
//! `line` has the number of the line as its id, so that a client that lost its connection goes on where it was, with
//! `Last-Event-ID` or `?after=`. `stage` tells of a stage that changed, `end` that nothing follows. The store is asked a
//! few times a second: the log is there, whoever writes it.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Uri};
use offprint_model::id::DeploymentId;
use offprint_model::stages::{StageName, StageStatus, Stages};
use offprint_store::{LogTail, ProjectScope};
use offprint_wire::error_code::ErrorCode;
use offprint_wire::json::InvalidMember;
use offprint_wire::log::{LogEnd, LogLine};
use offprint_wire::stage;

use super::PathId;
use crate::auth::{InProject, Read};
use crate::error::Result;
use crate::query::Parameters;
use crate::sse::{Follow, News, event, stream_of};
use crate::state::Ctx;

/// Lines of one piece of the answer.
const LINES_MAX: u32 = 128;

/// Somebody who follows a log.
struct Follower {
    ctx: Ctx,
    scope: ProjectScope,
    id: DeploymentId,
    /// The last line that was sent.
    after: u64,
    /// The statuses that were sent.
    shown: [StageStatus; 5],
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
    let shown = [StageStatus::Idle; 5];
    let follower = Follower { ctx: ctx.clone(), scope: caller.scope, id, after, shown };
    stream_of(&ctx, follower).ok_or_else(|| ErrorCode::TooManyStreams.into())
}

/// The line after which to begin; the header is newer than the address, which a client repeats unchanged.
fn after(headers: &HeaderMap, parameters: &Parameters) -> Result<u64> {
    let parse = |name: &str, text: &str| {
        let number = text.parse().map_err(|_| InvalidMember::new(name, "must be the number of a line"));
        number.map_err(Into::into)
    };
    let asked = parameters.get("after").map_or(Ok(0), |after| parse("after", after))?;
    match headers.get("last-event-id") {
        Some(id) if !id.is_empty() => parse("Last-Event-ID", id.to_str().unwrap_or_default()),
        _ => Ok(asked),
    }
}

impl Follow for Follower {
    async fn look(&mut self) -> Option<News> {
        let tail = self.ctx.store.logs_after(&self.scope, &self.id, self.after, LINES_MAX).await.ok()?;
        Some(self.news(&tail))
    }
}

impl Follower {
    fn news(&mut self, tail: &LogTail) -> News {
        let mut news = News::default();
        for (n, line) in &tail.lines {
            event(&mut news.text, Some(&n.to_string()), "line", &LogLine::from(line.clone()));
            self.after = *n;
        }
        // More lines may be there, and they are older than the state of the stages.
        if tail.lines.len() < LINES_MAX as usize {
            self.tell_stages(&tail.deployment.stages, &mut news);
        }
        news
    }

    fn tell_stages(&mut self, stages: &Stages, news: &mut News) {
        for (shape, name) in stage::all(stages).iter().zip(StageName::ALL) {
            let status = stages.get(name).status;
            if std::mem::replace(&mut self.shown[name as usize], status) != status {
                event(&mut news.text, None, "stage", shape);
            }
        }
        if stages.is_terminal() {
            event(&mut news.text, None, "end", &LogEnd::new(stages));
            news.is_over = true;
        }
    }
}
