//! `GET …/projects`: newest first. wrangler asks for pages of 10 until one holds fewer.

use axum::extract::State;
use http::Uri;
use offprint_wire::project::Project;

use super::shown;
use crate::answer::PageOf;
use crate::auth::{InAccount, Read};
use crate::error::Result;
use crate::query::Parameters;
use crate::state::Ctx;

const PER_PAGE: u64 = 10;
/// Cloudflare documents no largest size. Ours keeps an answer, which holds up to two deployments a
/// project, within a few megabytes.
const PER_PAGE_MAX: u64 = 100;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InAccount<Read>,
    uri: Uri,
) -> Result<PageOf<Project>> {
    let paging = Parameters::of(&uri)?.paging(PER_PAGE, PER_PAGE_MAX)?;
    let listed = ctx.store.list_projects(&caller.scope, paging.into()).await?;
    Ok(PageOf { items: shown(&ctx, &listed.items).await?, paging, total: listed.total })
}
