//! `…/projects/{project_name}/pull_requests`: those that the forge told of, and leave to build one that comes from a
//! fork. An extension of the Pages API, which builds no forks.

use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use offprint_model::config::Environment;
use offprint_model::deployment::Trigger;
use offprint_store::{NewBuild, PullRequestRow};
use offprint_wire::deployment::Deployment;
use offprint_wire::error_code::ErrorCode;
use offprint_wire::pull_request::{PullRequest, read_approval};

use crate::answer::Success;
use crate::auth::{InProject, Read, Write, path_parameter};
use crate::body::SmallBody;
use crate::error::{ApiError, Result};
use crate::state::Ctx;

/// The number of the path.
pub(crate) struct PathNumber(u64);

impl FromRequestParts<Ctx> for PathNumber {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Ctx) -> Result<Self> {
        let number = path_parameter(parts, "number").await?.parse();
        // What is no number is the number of no pull request.
        number.map(Self).map_err(|_| ErrorCode::PullRequestNotFound.into())
    }
}

/// `GET …/pull_requests`: open ones first.
pub(crate) async fn list(
    State(ctx): State<Ctx>,
    caller: InProject<Read>,
) -> Result<Success<Vec<PullRequest>>> {
    let rows = ctx.store.pull_requests(&caller.scope).await?;
    Ok(Success(rows.into_iter().map(shown).collect()))
}

/// `POST …/pull_requests/{number}/approve`: builds the commit that the caller names, as a preview without secrets.
/// It must still be the head: what was pushed after the caller looked is not approved.
pub(crate) async fn approve(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    PathNumber(number): PathNumber,
    SmallBody(body): SmallBody,
) -> Result<Success<Deployment>> {
    let source = caller.project.source.as_ref().ok_or(ErrorCode::NoSource)?;
    ctx.check_builds()?;
    let commit_hash = read_approval(&body)?;
    let approved = ctx.store.approve_pull_request(&caller.scope, number, &commit_hash).await?;
    let new = NewBuild {
        environment: Environment::Preview,
        branch: approved.branch,
        commit: approved.commit,
        trigger: Trigger::push_to(source.kind),
        skip: None,
        untrusted: true,
        pull_request: Some(number),
    };
    let deployment = ctx.store.create_build(&caller.scope, new, None).await?;
    ctx.wake_builders();
    Ok(Success(Deployment::new(&deployment, &ctx.urls)))
}

fn shown(row: PullRequestRow) -> PullRequest {
    let PullRequestRow { pull_request, approved } = row;
    PullRequest {
        number: pull_request.number,
        title: pull_request.title,
        branch: pull_request.branch.to_string(),
        commit_hash: pull_request.commit.hash,
        is_fork: pull_request.fork,
        is_open: pull_request.open,
        approved_commit_hash: approved,
    }
}
