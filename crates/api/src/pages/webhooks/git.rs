//! `POST /pages/webhooks/git/{project_id}`: what a forge tells about a project's repository.
//!
//! In this order: the project must be there, the headers those of its forge; the body is read within its bounds;
//! its signature is checked; only then is it parsed. Strangers come as far as the signature.

use std::time::Duration;

use axum::extract::{Request, State};
use bytes::Bytes;
use http::header;
use offprint_model::deployment::Trigger;
use offprint_model::id::ProjectId;
use offprint_model::push::{Push, Verdict, judge};
use offprint_model::source::{CloneScheme, Source, SourceKind};
use offprint_store::{Delivery, NewBuild, WebhookTarget};
use offprint_wire::error_code::ErrorCode;
use offprint_wire::json::InvalidMember;
use offprint_wire::webhook::{self, Answer, Event, PullRequest, Repository, Webhook};
use tokio::task::spawn_blocking;
use url::form_urlencoded;

use super::sender::Sender;
use crate::answer::Success;
use crate::auth::{address, path_parameter};
use crate::body::{self, announced_length};
use crate::error::{ApiError, Result};
use crate::state::{Context, Ctx};

/// What GitHub sends at the most.
const BODY_BYTES_MAX: usize = 25 * 1024 * 1024;
/// For the whole body, however lively it comes: who sends it has not said yet who they are.
const BODY_TIME_MAX: Duration = Duration::from_secs(60);

pub(crate) async fn handle(State(ctx): State<Ctx>, request: Request) -> Result<Success<Answer>> {
    let (mut parts, body) = request.into_parts();
    let id = ProjectId::new(path_parameter(&mut parts, "project_id").await?);
    let mut target = ctx.store.webhook_target(&id).await?;
    target.scope = target.scope.called_from(address(&parts));
    // A project that is not built from git is as good as none to those who call here.
    let source = target.project.source.clone().ok_or(ErrorCode::ProjectNotFound)?;
    let sender = Sender::of(&parts.headers, source.kind)?;
    let request = Request::from_parts(parts, body);
    let is_form = is_form(&request);
    let announced = announced_length(&request).unwrap_or(BODY_BYTES_MAX).min(BODY_BYTES_MAX);
    let reserved = ctx.webhook_memory.reserve(announced).await;
    let body = read_body(request).await?;
    let secret = target.secret.as_ref().ok_or(ErrorCode::InvalidSignature)?;
    if !sender.is_genuine(secret, &body) {
        return Err(ErrorCode::InvalidSignature.into());
    }
    let delivery = sender.delivery(&body);
    let webhook =
        spawn_blocking(move || read(&sender, is_form, &body)).await.map_err(ApiError::internal)??;
    drop(reserved);
    let answer = act(&ctx, &target, &source, webhook, delivery).await?;
    Ok(Success(answer))
}

async fn read_body(request: Request) -> Result<Bytes> {
    match tokio::time::timeout(BODY_TIME_MAX, body::read(request, BODY_BYTES_MAX)).await {
        Ok(body) => body.map(bytes::BytesMut::freeze),
        Err(_) => {
            let late = "Request body is incorrect: it took too long to arrive.";
            Err(ApiError::explained(ErrorCode::InvalidBody, late))
        }
    }
}

/// GitHub, Forgejo and Gitea can also send the JSON as the field `payload` of a form.
fn is_form(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().starts_with("application/x-www-form-urlencoded"))
}

fn read(sender: &Sender, is_form: bool, body: &[u8]) -> Result<Webhook> {
    if !is_form {
        return Ok(webhook::read(sender.dialect, &sender.event, body)?);
    }
    let mut fields = form_urlencoded::parse(body);
    let payload = fields.find_map(|(name, value)| (name == "payload").then_some(value));
    let payload = payload.ok_or_else(|| InvalidMember::new("payload", "is required"))?;
    Ok(webhook::read(sender.dialect, &sender.event, payload.as_bytes())?)
}

async fn act(
    ctx: &Context,
    target: &WebhookTarget,
    source: &Source,
    webhook: Webhook,
    delivery: Delivery,
) -> Result<Answer> {
    if let Event::Other(what) = webhook.event {
        return Ok(Answer::ignored(what));
    }
    if !webhook.repository.is_some_and(|repository| is_of(&repository, source)) {
        return Err(ErrorCode::RepositoryMismatch.into());
    }
    match webhook.event {
        Event::Push(push) => build(ctx, target, source, push, delivery).await,
        Event::PullRequest(pull_request) => note(ctx, target, pull_request, delivery).await,
        Event::Other(what) => Ok(Answer::ignored(what)),
    }
}

/// Whether a repository is the project's: by its number, its name, or its URL. A local one has nothing that a forge
/// could name; there the signature has to do.
fn is_of(repository: &Repository, source: &Source) -> bool {
    let name = format!("{}/{}", source.owner, source.repo_name);
    let clone_url = source.clone_url();
    let is_local = || clone_url.as_ref().is_some_and(|url| url.scheme() == CloneScheme::Local);
    (!source.repo_id.is_empty() && source.repo_id == repository.id)
        || repository.full_name.eq_ignore_ascii_case(&name)
        || clone_url
            .as_ref()
            .is_some_and(|url| repository.clone_urls.iter().any(|other| other == url.as_str()))
        || (source.kind == SourceKind::Git && is_local())
}

async fn build(
    ctx: &Context,
    target: &WebhookTarget,
    source: &Source,
    push: Push,
    delivery: Delivery,
) -> Result<Answer> {
    ctx.check_builds()?;
    let skip = match judge(&target.project, source, &push) {
        Verdict::Build => None,
        Verdict::Skip(reason) => Some(reason),
    };
    let new = NewBuild {
        environment: target.project.environment_of(&push.branch),
        branch: push.branch,
        commit: push.commit,
        trigger: Trigger::push_to(source.kind),
        skip,
        untrusted: false,
        pull_request: None,
    };
    let deployment = ctx.store.create_build(&target.scope, new, Some(delivery)).await?;
    ctx.wake_builders();
    Ok(Answer::deployed(&deployment.id, deployment.skipped))
}

/// A pull request builds nothing by itself: the branches of the repository are pushed, and those of a fork wait for a
/// person.
async fn note(
    ctx: &Context,
    target: &WebhookTarget,
    pull_request: PullRequest,
    delivery: Delivery,
) -> Result<Answer> {
    let answer = Answer::noted(&pull_request);
    let noted = offprint_store::PullRequest {
        number: pull_request.number,
        branch: pull_request.branch,
        commit: pull_request.commit,
        fork: pull_request.fork,
        open: pull_request.open,
        title: pull_request.title,
    };
    ctx.store.note_pull_request(&target.scope, noted, Some(delivery)).await?;
    ctx.wake.feedback();
    Ok(answer)
}
