//! `POST /pages/webhooks/deploy_hooks/{hook_id}`: no authentication, the id is the secret. The body is not looked at.

use axum::Extension;
use axum::extract::State;
use offprint_model::deployment::{Commit, Trigger};
use offprint_store::NewBuild;
use offprint_wire::deploy_hook::Deployed;

use crate::answer::Success;
use crate::error::Result;
use crate::pages::deploy_hooks::PathHook;
use crate::state::{ClientAddress, Ctx};

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    PathHook(id): PathHook,
    address: Option<Extension<ClientAddress>>,
) -> Result<Success<Deployed>> {
    let target = ctx.store.hook_target(&id).await?;
    ctx.check_builds()?;
    let new = NewBuild {
        environment: target.project.environment_of(&target.branch),
        branch: target.branch,
        commit: Commit::default(),
        trigger: Trigger::DeployHook,
        skip: None,
        untrusted: false,
        pull_request: None,
    };
    let scope = target.scope.called_from(address.map(|Extension(address)| address.0.to_string()));
    let deployment = ctx.store.create_build(&scope, new, None).await?;
    ctx.wake_builders();
    Ok(Success(Deployed { id: deployment.id.to_string() }))
}
