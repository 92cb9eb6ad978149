//! `GET …/domains`: all of them; the SDKs read one page.

use axum::extract::State;
use offprint_wire::domain::Domain;

use crate::answer::PageOf;
use crate::auth::{InProject, Read};
use crate::error::Result;
use crate::query::Paging;
use crate::state::Ctx;

pub(crate) async fn handle(State(ctx): State<Ctx>, caller: InProject<Read>) -> Result<PageOf<Domain>> {
    let domains = ctx.store.domains(&caller.scope).await?;
    let total = domains.len() as u64;
    let items = domains.iter().map(Domain::from).collect();
    Ok(PageOf { items, paging: Paging { page: 1, per_page: total.max(1) }, total })
}
