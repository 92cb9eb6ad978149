//! `GET …/d1/database/{database_id}`: by its id or by its name.

use axum::extract::State;
use offprint_wire::d1::Database;

use super::shown;
use crate::answer::Success;
use crate::auth::{D1, InResource, Read};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InResource<Read, D1>,
) -> Result<Success<Database>> {
    let info = ctx.resources.d1().info(&caller.resource).await?;
    Ok(Success(shown(&caller.resource, Some(info))))
}
