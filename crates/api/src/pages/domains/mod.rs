//! `/accounts/{account_id}/pages/projects/{project_name}/domains`: custom domains.
//!
//! A domain answers once it is active. Until certificates exist, it becomes active by the *resolvable
//! check* (see `check`), when it is added and whenever a PATCH asks again; or by the operator's command,
//! which speaks to the store.

pub(crate) mod add;
mod check;
pub(crate) mod list;
pub(crate) mod recheck;
pub(crate) mod remove;
pub(crate) mod show;

use axum::extract::FromRequestParts;
use http::request::Parts;
use offprint_model::name::Hostname;
use offprint_wire::error_code::ErrorCode;

use crate::auth::path_parameter;
use crate::error::{ApiError, Result};
use crate::state::Ctx;

/// The domain of the path. What cannot be a domain is one that does not exist.
pub(crate) struct PathName(Hostname);

impl FromRequestParts<Ctx> for PathName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Ctx) -> Result<Self> {
        let name = path_parameter(parts, "domain_name").await?;
        Hostname::parse(&name).map(Self).map_err(|_| ErrorCode::DomainNotFound.into())
    }
}
