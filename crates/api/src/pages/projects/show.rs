//! `GET …/projects/{project_name}`. wrangler reads code 8000007 here.

use axum::extract::State;
use offprint_wire::project::Project;

use super::shown_one;
use crate::answer::Success;
use crate::auth::{InProject, Read};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(State(ctx): State<Ctx>, caller: InProject<Read>) -> Result<Success<Project>> {
    Ok(Success(shown_one(&ctx, caller.project).await?))
}
