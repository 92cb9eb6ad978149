//! What the caller may do with the account and the project of the path.

use std::marker::PhantomData;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use offprint_model::id::AccountId;
use offprint_model::name::ProjectName;
use offprint_model::project::Project;
use offprint_store::{AccountScope, Denied, Permission, Principal, ProjectScope};
use offprint_wire::error_code::ErrorCode;

use crate::auth::authenticate;
use crate::error::{ApiError, Result};
use crate::state::Ctx;

/// What an endpoint asks of its caller.
pub(crate) trait Needs: Send {
    const PERMISSION: Permission;
    /// The answer to one who has less.
    const DENIED: ErrorCode;
}

/// "Pages Read" or more.
pub(crate) struct Read;

/// "Pages Write".
pub(crate) struct Write;

/// To see and change the account's tokens; has its own code, which wrangler tolerates.
pub(crate) struct Manage;

impl Needs for Read {
    const PERMISSION: Permission = Permission::Read;
    const DENIED: ErrorCode = ErrorCode::PermissionDenied;
}

impl Needs for Write {
    const PERMISSION: Permission = Permission::Write;
    const DENIED: ErrorCode = ErrorCode::PermissionDenied;
}

impl Needs for Manage {
    const PERMISSION: Permission = Permission::Write;
    const DENIED: ErrorCode = ErrorCode::Unauthorized;
}

/// The caller may do `P` in the account of the path.
pub(crate) struct InAccount<P> {
    pub(crate) scope: AccountScope,
    pub(crate) principal: Principal,
    permission: PhantomData<P>,
}

impl<P: Needs> FromRequestParts<Ctx> for InAccount<P> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self> {
        let principal = authenticate(ctx, parts).await?;
        let account = AccountId::new(path_parameter(parts, "account_id").await?);
        let scope = principal.scope(&account, P::PERMISSION).map_err(|denied| match denied {
            // Another's account and one that does not exist are not told apart.
            Denied::UnknownAccount => ErrorCode::PermissionDenied,
            Denied::Insufficient => P::DENIED,
        })?;
        Ok(Self { scope, principal, permission: PhantomData })
    }
}

/// The caller may do `P` with the project of the path, and this is the project.
pub(crate) struct InProject<P> {
    pub(crate) scope: ProjectScope,
    pub(crate) project: Project,
    permission: PhantomData<P>,
}

impl<P: Needs> FromRequestParts<Ctx> for InProject<P> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self> {
        let account = InAccount::<P>::from_request_parts(parts, ctx).await?;
        // A name that no project can have is a project that does not exist.
        let name = ProjectName::parse(&path_parameter(parts, "project_name").await?)
            .map_err(|_| ErrorCode::ProjectNotFound)?;
        let (scope, project) = ctx.store.project(&account.scope, &name).await?;
        Ok(Self { scope, project, permission: PhantomData })
    }
}

/// A parameter of the path, percent-decoded.
pub(crate) async fn path_parameter(parts: &mut Parts, name: &str) -> Result<String> {
    let parameters = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| ErrorCode::NoRoute)?;
    let value = parameters.iter().find(|(parameter, _)| *parameter == name);
    value.map(|(_, value)| value.to_owned()).ok_or_else(|| ErrorCode::NoRoute.into())
}
