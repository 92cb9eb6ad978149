//! `POST …/d1/database`.

use axum::extract::State;
use offprint_model::resource::ResourceKind;
use offprint_wire::d1::{Database, read_creation};

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
) -> Result<Success<Database>> {
    let name = read_creation(&body)?;
    let made = ctx.resources.create(&caller.scope, ResourceKind::D1, name).await?;
    let info = ctx.resources.d1().info(&made).await?;
    Ok(Success(shown(&made, Some(info))))
}
