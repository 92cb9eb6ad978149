//! Who may call `/pages/assets/*`.
//!
//! Those paths name no account: wrangler sends the upload token of a project, users of the SDKs their API
//! token. A bad token of either kind gets 8000013, on which wrangler fetches a new one.

use axum::extract::FromRequestParts;
use http::request::Parts;
use offprint_store::{AccountScope, Permission, Principal};
use offprint_wire::error_code::ErrorCode;

use crate::auth::authenticate;
use crate::auth::credentials::Credentials;
use crate::auth::upload_token::UploadGrant;
use crate::error::{ApiError, Result};
use crate::state::{Context, Ctx};

/// The caller may store assets in this account.
pub(crate) struct Uploader {
    pub(crate) scope: AccountScope,
    /// How many files a deployment may have.
    pub(crate) files_max: usize,
}

impl FromRequestParts<Ctx> for Uploader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self> {
        if let Credentials::Bearer(token) = Credentials::read(&parts.headers)? {
            if let Some(grant) = ctx.upload_tokens.verify(token.expose()) {
                return by_grant(ctx, &grant).await;
            }
            let caller = authenticate(ctx, parts).await;
            let principal = caller.map_err(|error| match error.code() {
                ErrorCode::AuthenticationError => ErrorCode::AuthorizationFailed.into(),
                _ => error,
            })?;
            return by_principal(ctx, &principal);
        }
        by_principal(ctx, &authenticate(ctx, parts).await?)
    }
}

/// The project must still be there: it may have been deleted since, and its name made again.
async fn by_grant(ctx: &Context, grant: &UploadGrant) -> Result<Uploader> {
    let found = ctx.store.project_by_id(&grant.account, &grant.project).await?;
    let (scope, _) = found.ok_or(ErrorCode::AuthorizationFailed)?;
    Ok(Uploader { scope: scope.account_scope(), files_max: grant.files_max })
}

fn by_principal(ctx: &Context, principal: &Principal) -> Result<Uploader> {
    let writable = |account| principal.scope(account, Permission::Write).ok();
    let mut scopes = principal.accounts().iter().filter_map(writable);
    match (scopes.next(), scopes.next()) {
        (Some(scope), None) => Ok(Uploader { scope, files_max: ctx.limits.files_max }),
        (None, _) => Err(ErrorCode::PermissionDenied.into()),
        (Some(_), Some(_)) => Err(ErrorCode::AccountUnclear.into()),
    }
}
