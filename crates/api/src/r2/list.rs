//! `GET …/r2/buckets`: by name. wrangler asks for them once and pages nothing, so the first answer holds them all.

use axum::extract::State;
use http::Uri;
use offprint_model::resource::ResourceKind;
use offprint_wire::r2::Buckets;

use super::shown;
use crate::answer::Success;
use crate::auth::{InAccount, Read};
use crate::error::Result;
use crate::query::Parameters;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InAccount<Read>,
    uri: Uri,
) -> Result<Success<Buckets>> {
    let parameters = Parameters::of(&uri)?;
    let contains = parameters.get("name_contains").unwrap_or_default();
    let after = parameters.get("start_after").unwrap_or_default();
    let all = ctx.store.all_resources(&caller.scope, ResourceKind::R2).await?;
    let wanted = all.iter().filter(|bucket| {
        let name = bucket.name().as_str();
        name.contains(contains) && (after.is_empty() || name > after)
    });
    let mut buckets: Vec<_> = wanted.map(shown).collect();
    if parameters.word("direction", &[("asc", false), ("desc", true)])?.unwrap_or(false) {
        buckets.reverse();
    }
    Ok(Success(Buckets { buckets }))
}
