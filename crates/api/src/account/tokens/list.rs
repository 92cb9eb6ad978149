//! `GET /accounts/{account_id}/tokens`.

use axum::extract::State;
use http::Uri;
use offprint_wire::token::Token;

use super::shown;
use crate::answer::PageOf;
use crate::auth::{InAccount, Manage};
use crate::error::Result;
use crate::query::Parameters;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InAccount<Manage>,
    uri: Uri,
) -> Result<PageOf<Token>> {
    let paging = Parameters::of(&uri)?.paging(20, 50)?;
    let tokens = ctx.store.list_tokens(&caller.scope).await?;
    Ok(PageOf::of(tokens.iter().map(shown).collect(), paging))
}
