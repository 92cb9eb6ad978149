//! `GET /memberships`: wrangler uses those accounts that have a membership.

use axum::extract::State;
use http::Uri;
use offprint_store::Permission;
use offprint_wire::account::Membership;

use super::accounts::{PER_PAGE, PER_PAGE_MAX, shown};
use crate::answer::PageOf;
use crate::auth::Caller;
use crate::error::Result;
use crate::query::Parameters;
use crate::state::Ctx;

pub(crate) async fn list(
    State(ctx): State<Ctx>,
    Caller(principal): Caller,
    uri: Uri,
) -> Result<PageOf<Membership>> {
    let paging = Parameters::of(&uri)?.paging(PER_PAGE, PER_PAGE_MAX)?;
    let role = match principal.permission() {
        Permission::Write => "Administrator",
        Permission::Read => "Administrator Read Only",
    };
    let accounts = ctx.store.accounts(&principal).await?;
    let member = |account| Membership::new(shown(account), role);
    Ok(PageOf::of(accounts.iter().map(member).collect(), paging))
}
