//! `PUT …/namespaces/{namespace_id}`: another title.

use axum::extract::State;
use offprint_wire::kv::{Namespace, read_title};

use super::shown;
use crate::answer::Success;
use crate::auth::{InResource, Kv, Write};
use crate::body::SmallBody;
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InResource<Write, Kv>,
    SmallBody(body): SmallBody,
) -> Result<Success<Namespace>> {
    let title = read_title(&body)?;
    let renamed = ctx.store.rename_resource(&caller.scope, &caller.resource, title).await?;
    Ok(Success(shown(&renamed)))
}
