//! `/accounts/{account_id}/pages/projects`.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod pull_requests;
pub(crate) mod purge_build_cache;
pub(crate) mod show;
pub(crate) mod source;
pub(crate) mod update;
pub(crate) mod upload_token;

use offprint_model::id::DeploymentId;
use offprint_model::project::Project as Model;
use offprint_wire::project::Project;

use crate::error::Result;
use crate::state::Context;

/// Shows projects with their newest and their live deployments, which are read in one go.
async fn shown(ctx: &Context, projects: &[Model]) -> Result<Vec<Project>> {
    let ids: Vec<DeploymentId> = projects
        .iter()
        .flat_map(|project| [&project.latest, &project.canonical])
        .flatten()
        .cloned()
        .collect();
    let deployments = ctx.store.deployments_by_id(&ids).await?;
    let find = |id: &Option<DeploymentId>| id.as_ref().and_then(|id| deployments.get(id));
    let show = |model: &Model| Project::new(model, find(&model.latest), find(&model.canonical), &ctx.urls);
    Ok(projects.iter().map(show).collect())
}

async fn shown_one(ctx: &Context, project: Model) -> Result<Project> {
    let mut shown = shown(ctx, std::slice::from_ref(&project)).await?;
    // One goes in, one comes out.
    Ok(shown.swap_remove(0))
}
