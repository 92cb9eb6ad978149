//! `DELETE /accounts/{account_id}/tokens/{token_id}`.

use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use offprint_model::id::TokenId;
use offprint_wire::token::Deleted;

use crate::answer::Success;
use crate::auth::{InAccount, Manage, path_parameter};
use crate::error::{ApiError, Result};
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InAccount<Manage>,
    PathId(id): PathId,
) -> Result<Success<Deleted>> {
    ctx.store.revoke_token(&caller.scope, &id).await?;
    Ok(Success(Deleted { id: id.to_string() }))
}

/// The token of the path; any text is an id.
pub(crate) struct PathId(TokenId);

impl FromRequestParts<Ctx> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Ctx) -> Result<Self> {
        path_parameter(parts, "token_id").await.map(|id| Self(TokenId::new(id)))
    }
}
