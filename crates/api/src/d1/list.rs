//! `GET …/d1/database`: newest first, or the one of a name.

use axum::extract::State;
use http::Uri;
use offprint_model::resource::ResourceKind;
use offprint_store::{ResourceOrder, StoreError};
use offprint_wire::d1::Database;

use super::shown;
use crate::answer::PageOf;
use crate::auth::{InAccount, Read};
use crate::error::Result;
use crate::query::Parameters;
use crate::state::Ctx;

const PER_PAGE: u64 = 100;
const PER_PAGE_MAX: u64 = 10_000;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InAccount<Read>,
    uri: Uri,
) -> Result<PageOf<Database>> {
    let parameters = Parameters::of(&uri)?;
    let paging = parameters.paging(PER_PAGE, PER_PAGE_MAX)?;
    if let Some(name) = parameters.get("name") {
        let found = match ctx.store.resource_by_name(&caller.scope, ResourceKind::D1, name).await {
            Err(StoreError::NotFound(_)) => None,
            found => Some(found?),
        };
        return Ok(PageOf::of(found.iter().map(|resource| shown(resource, None)).collect(), paging));
    }
    let order = ResourceOrder::Newest;
    let listed = ctx.store.list_resources(&caller.scope, ResourceKind::D1, order, paging.into()).await?;
    let items = listed.items.iter().map(|resource| shown(resource, None)).collect();
    Ok(PageOf { items, paging, total: listed.total })
}
