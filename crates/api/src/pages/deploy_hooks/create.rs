//! `POST …/deploy_hooks`: one for each branch.

use axum::extract::State;
use offprint_wire::deploy_hook::{DeployHook, read_creation};

use super::shown;
use crate::answer::Success;
use crate::auth::{InProject, Write};
use crate::body::SmallBody;
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    SmallBody(body): SmallBody,
) -> Result<Success<DeployHook>> {
    let new = read_creation(&body)?;
    let hook = ctx.store.create_deploy_hook(&caller.scope, &new.name, &new.branch).await?;
    Ok(Success(shown(&ctx, hook)))
}
