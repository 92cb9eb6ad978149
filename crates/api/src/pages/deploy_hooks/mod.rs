//! `/accounts/{account_id}/pages/projects/{project_name}/deploy_hooks`: an extension of the Pages API. Calling a hook
//! is `webhooks/deploy_hooks`.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;

use axum::extract::FromRequestParts;
use http::request::Parts;
use offprint_store::DeployHook as Stored;
use offprint_wire::deploy_hook::DeployHook;
use offprint_wire::time::Time;

use crate::auth::path_parameter;
use crate::error::{ApiError, Result};
use crate::front::PREFIX;
use crate::state::{Context, Ctx};

/// The hook of the path. Any text is an id: one that nobody has is not found.
pub(crate) struct PathHook(pub(crate) String);

impl FromRequestParts<Ctx> for PathHook {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Ctx) -> Result<Self> {
        path_parameter(parts, "hook_id").await.map(Self)
    }
}

fn shown(ctx: &Context, hook: Stored) -> DeployHook {
    DeployHook {
        url: format!("{}{PREFIX}/pages/webhooks/deploy_hooks/{}", ctx.public_url, hook.id),
        id: hook.id,
        name: hook.name,
        branch: hook.branch.to_string(),
        created_on: Time(hook.created),
    }
}
