//! `POST /pages/webhooks/deploy_hooks/{hook_id}`: no authentication, the id is the secret.
//!
//! Hooks start builds from git, which this server does not do yet; so there is none.

use offprint_wire::error_code::ErrorCode;

use crate::error::ApiError;

pub(crate) async fn handle() -> ApiError {
    ErrorCode::DeployHookNotFound.into()
}
