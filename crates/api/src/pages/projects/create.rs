//! `POST …/projects`.

use axum::extract::State;
use offprint_store::NewProject;
use offprint_wire::project::Project;
use offprint_wire::project_request;

use super::shown_one;
use crate::answer::Success;
use crate::auth::{InAccount, Write};
use crate::body::SmallBody;
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InAccount<Write>,
    SmallBody(body): SmallBody,
) -> Result<Success<Project>> {
    let request = project_request::read_creation(&body)?;
    let new = NewProject {
        name: request.name,
        production_branch: request.production_branch,
        build_config: request.build_config,
        production: request.production,
        preview: request.preview,
        source: request.source,
    };
    let project = ctx.store.create_project(&caller.scope, new).await?;
    ctx.wake.edge();
    Ok(Success(shown_one(&ctx, project).await?))
}
