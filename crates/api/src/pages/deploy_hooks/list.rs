//! `GET …/deploy_hooks`: with their URLs, which are secrets, so "Pages Write" although it is a GET.

use axum::extract::State;
use offprint_wire::deploy_hook::DeployHook;

use super::shown;
use crate::answer::Success;
use crate::auth::{InProject, Write};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
) -> Result<Success<Vec<DeployHook>>> {
    let hooks = ctx.store.list_deploy_hooks(&caller.scope).await?;
    Ok(Success(hooks.into_iter().map(|hook| shown(&ctx, hook)).collect()))
}
