//! `POST …/namespaces`.

use axum::extract::State;
use offprint_model::resource::ResourceKind;
use offprint_wire::kv::{Namespace, read_title};

use super::shown;
use crate::answer::Success;
use crate::auth::{InAccount, Write};
use crate::body::SmallBody;
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InAccount<Write>,
    SmallBody(body): SmallBody,
) -> Result<Success<Namespace>> {
    let title = read_title(&body)?;
    let made = ctx.resources.create(&caller.scope, ResourceKind::Kv, title).await?;
    Ok(Success(shown(&made)))
}
