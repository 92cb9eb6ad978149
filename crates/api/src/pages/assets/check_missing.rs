//! `POST /pages/assets/check-missing`: which of these keys has the account not yet?

use axum::extract::{Request, State};
use offprint_wire::asset;

use super::HASHES_BODY_BYTES_MAX;
use crate::answer::Success;
use crate::auth::Uploader;
use crate::body;
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: Uploader,
    request: Request,
) -> Result<Success<Vec<String>>> {
    let body = body::read(request, HASHES_BODY_BYTES_MAX).await?;
    let keys = asset::read_hashes(&body, caller.files_max)?;
    let missing = ctx.store.missing_keys(&caller.scope, &keys).await?;
    Ok(Success(missing.iter().map(ToString::to_string).collect()))
}
