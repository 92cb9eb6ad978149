//! `GET /user/tokens/verify` and `GET /accounts/{account_id}/tokens/verify`.

use std::borrow::Cow;

use axum::extract::{Request, State};
use offprint_store::Principal;
use offprint_wire::error_code::ErrorCode;
use offprint_wire::token::VerifiedToken;

use crate::answer::Success;
use crate::auth::{InAccount, Read, authenticate};
use crate::error::{ApiError, Result};
use crate::state::Ctx;

/// A bad token has its own code here, which wrangler's `whoami` reads.
pub(crate) async fn of_user(State(ctx): State<Ctx>, request: Request) -> Result<Success<VerifiedToken>> {
    let (parts, _) = request.into_parts();
    let principal = authenticate(&ctx, &parts).await.map_err(|error| match error.code() {
        ErrorCode::AuthenticationError => ApiError::from(ErrorCode::InvalidApiToken),
        _ => error,
    })?;
    Ok(verified(&principal))
}

pub(crate) async fn of_account(caller: InAccount<Read>) -> Success<VerifiedToken> {
    verified(&caller.principal)
}

fn verified(principal: &Principal) -> Success<VerifiedToken> {
    Success(VerifiedToken { id: principal.token_id().to_string(), status: Cow::Borrowed("active") })
}
