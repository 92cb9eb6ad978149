//! `GET /accounts` and `GET /accounts/{account_id}`.

use axum::extract::State;
use http::Uri;
use offprint_store::Account as StoredAccount;
use offprint_wire::account::Account;
use offprint_wire::error_code::ErrorCode;
use offprint_wire::time::Time;

use crate::answer::{PageOf, Success};
use crate::auth::{Caller, InAccount, Read};
use crate::error::Result;
use crate::query::Parameters;
use crate::state::Ctx;

/// Items of a page of accounts or memberships, unless asked otherwise.
pub(super) const PER_PAGE: u64 = 20;
/// Items of such a page at the most.
pub(super) const PER_PAGE_MAX: u64 = 50;

pub(crate) async fn list(
    State(ctx): State<Ctx>,
    Caller(principal): Caller,
    uri: Uri,
) -> Result<PageOf<Account>> {
    let paging = Parameters::of(&uri)?.paging(PER_PAGE, PER_PAGE_MAX)?;
    let accounts = ctx.store.accounts(&principal).await?;
    Ok(PageOf::of(accounts.iter().map(shown).collect(), paging))
}

pub(crate) async fn show(State(ctx): State<Ctx>, caller: InAccount<Read>) -> Result<Success<Account>> {
    let accounts = ctx.store.accounts(&caller.principal).await?;
    let account = accounts.iter().find(|account| account.id == *caller.scope.account());
    Ok(Success(shown(account.ok_or(ErrorCode::PermissionDenied)?)))
}

pub(super) fn shown(account: &StoredAccount) -> Account {
    Account::new(account.id.as_str(), account.name.as_str(), Time(account.created))
}
