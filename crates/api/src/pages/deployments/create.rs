//! `POST …/deployments`: a direct upload, as a multipart form; without a manifest, a build of the repository.
//!
//! In phases: read the form's parts within their limits (`form`), make a deployment of them (`submission`,
//! pure), store it in one transaction, poke the pipeline.

use axum::extract::{FromRequest, Multipart, Request, State};
use http::header;
use offprint_wire::deployment::Deployment;
use offprint_wire::error_code::ErrorCode;
use tokio::task::spawn_blocking;

use super::build;
use super::form::{self, Parts};
use super::submission;
use crate::answer::Success;
use crate::auth::{InProject, Write};
use crate::body::{announced_length, too_large, with_patience};
use crate::error::{ApiError, Result};
use crate::state::{Context, Ctx};

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    request: Request,
) -> Result<Success<Deployment>> {
    if !is_form(&request) {
        if caller.project.source.is_none() {
            return Err(ErrorCode::NoSource.into());
        }
        let branch = build::branch_of_json(request).await?;
        let branch = branch.unwrap_or_else(|| caller.project.production_branch.clone());
        return build::create(&ctx, &caller.scope, &caller.project, branch).await.map(Success);
    }
    let bytes_max = form::bytes_max(&ctx.limits);
    let announced = announced_length(&request);
    if announced.is_some_and(|length| length > bytes_max) {
        return Err(too_large(bytes_max));
    }
    let reserved = ctx.memory.reserve(announced.unwrap_or(bytes_max)).await;
    let parts = read_parts(&ctx, request).await?;
    if !parts.has("manifest") {
        if caller.project.source.is_none() {
            return Err(ErrorCode::ManifestMissing.into());
        }
        let branch = submission::branch(&parts, &caller.project)?;
        return build::create(&ctx, &caller.scope, &caller.project, branch).await.map(Success);
    }
    let (project, limits) = (caller.project, ctx.limits.clone());
    let new = spawn_blocking(move || submission::read(&parts, &project, &limits))
        .await
        .map_err(ApiError::internal)??;
    let deployment = ctx.store.create_deployment(&caller.scope, new).await?;
    drop(reserved);
    ctx.wake.pipeline();
    Ok(Success(Deployment::new(&deployment, &ctx.urls)))
}

/// Everything else than a form, an empty body above all, asks for a build of the repository.
fn is_form(request: &Request) -> bool {
    content_type(request).starts_with("multipart/form-data")
}

fn content_type(request: &Request) -> String {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.unwrap_or_default().trim_start().to_ascii_lowercase()
}

async fn read_parts(ctx: &Context, request: Request) -> Result<Parts> {
    // An SDK that has no field to send sends the header of a form, without a boundary, and no body.
    if announced_length(&request) == Some(0) && !content_type(&request).contains("boundary") {
        return Ok(Parts::default());
    }
    let multipart = Multipart::from_request(form::bounded(with_patience(request), &ctx.limits), &())
        .await
        .map_err(|error| form::invalid(error.body_text()))?;
    form::read(multipart, &ctx.limits).await
}
