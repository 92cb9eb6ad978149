//! `POST /accounts/{account_id}/tokens`: the only answer that shows a token's secret.

use axum::extract::State;
use offprint_store::{Clock, Permission};
use offprint_wire::json::InvalidMember;
use offprint_wire::token::Token;
use offprint_wire::token_request;

use super::shown;
use crate::answer::Success;
use crate::auth::{InAccount, Manage};
use crate::body::SmallBody;
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InAccount<Manage>,
    SmallBody(body): SmallBody,
) -> Result<Success<Token>> {
    let new = token_request::read_creation(&body)?;
    let expires = new.expires.map(|time| time.0);
    if expires.is_some_and(|expires| expires <= Clock::now()) {
        return Err(InvalidMember::new("expires_on", "must be in the future").into());
    }
    let permission = if new.write { Permission::Write } else { Permission::Read };
    let (token, secret) = ctx.store.create_token(&caller.scope, &new.name, permission, expires).await?;
    Ok(Success(Token { value: Some(secret.expose().clone()), ..shown(&token) }))
}
