//! `PATCH …/projects/{project_name}`: a JSON merge patch; see `wire::environment_request` for its rules.

use axum::extract::State;
use offprint_wire::project::Project;
use offprint_wire::project_request;

use super::shown_one;
use crate::answer::Success;
use crate::auth::{InProject, Write};
use crate::body::SmallBody;
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    SmallBody(body): SmallBody,
) -> Result<Success<Project>> {
    let patch = project_request::read_patch(&body, &caller.project.name)?;
    let project = ctx.store.update_project(&caller.scope, patch).await?;
    Ok(Success(shown_one(&ctx, project).await?))
}
