//! `GET …/namespaces`: by title, or newest first with `order=id`.

use axum::extract::State;
use http::Uri;
use offprint_model::resource::ResourceKind;
use offprint_store::ResourceOrder;
use offprint_wire::kv::Namespace;

use super::shown;
use crate::answer::PageOf;
use crate::auth::{InAccount, Read};
use crate::error::Result;
use crate::query::Parameters;
use crate::state::Ctx;

const PER_PAGE: u64 = 20;
const PER_PAGE_MAX: u64 = 1000;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InAccount<Read>,
    uri: Uri,
) -> Result<PageOf<Namespace>> {
    let parameters = Parameters::of(&uri)?;
    let paging = parameters.paging(PER_PAGE, PER_PAGE_MAX)?;
    let orders = [("title", ResourceOrder::Name), ("id", ResourceOrder::Newest)];
    let order = parameters.word("order", &orders)?.unwrap_or_default();
    let listed = ctx.store.list_resources(&caller.scope, ResourceKind::Kv, order, paging.into()).await?;
    Ok(PageOf { items: listed.items.iter().map(shown).collect(), paging, total: listed.total })
}
