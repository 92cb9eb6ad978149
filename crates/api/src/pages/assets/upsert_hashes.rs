//! `POST /pages/assets/upsert-hashes`: these keys will be named by a deployment soon; keep them.

use axum::extract::{Request, State};
use offprint_wire::asset;

use super::HASHES_BODY_BYTES_MAX;
use crate::answer::Done;
use crate::auth::Uploader;
use crate::body;
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(State(ctx): State<Ctx>, caller: Uploader, request: Request) -> Result<Done> {
    let body = body::read(request, HASHES_BODY_BYTES_MAX).await?;
    let keys = asset::read_hashes(&body, caller.files_max)?;
    ctx.store.refresh_keys(&caller.scope, &keys).await?;
    Ok(Done)
}
