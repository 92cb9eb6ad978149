//! `/accounts/{account_id}/pages/projects/{project_name}/deployments`.

mod build;
pub(crate) mod cancel;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod exceptions;
mod form;
pub(crate) mod list;
pub(crate) mod log_stream;
pub(crate) mod logs;
pub(crate) mod retry;
pub(crate) mod rollback;
pub(crate) mod show;
mod submission;
pub(crate) mod tails;

use axum::extract::FromRequestParts;
use http::request::Parts;
use offprint_model::id::DeploymentId;

use crate::auth::path_parameter;
use crate::error::{ApiError, Result};
use crate::state::Ctx;

/// The deployment of the path. Any text is an id: one that nobody has is not found, not malformed.
pub(crate) struct PathId(DeploymentId);

impl FromRequestParts<Ctx> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Ctx) -> Result<Self> {
        path_parameter(parts, "deployment_id").await.map(|id| Self(DeploymentId::new(id)))
    }
}
