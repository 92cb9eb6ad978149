//! `POST /pages/assets/upload`: the bytes of many assets, in base64 in JSON.
//!
//! A body reaches 56 MB, three at a time, so it is held once: the texts are decoded where they stand in
//! the body (see `decode`). All that is CPU work happens off the threads that serve others.

use axum::extract::{Request, State};
use offprint_wire::asset::UploadResult;
use tokio::task::spawn_blocking;

use super::decode;
use crate::answer::Success;
use crate::auth::Uploader;
use crate::body::{self, announced_length};
use crate::error::{ApiError, Result};
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: Uploader,
    request: Request,
) -> Result<Success<UploadResult>> {
    let bytes_max = ctx.limits.upload_body_bytes_max;
    let expected = announced_length(&request).unwrap_or(bytes_max).min(bytes_max);
    let reserved = ctx.memory.reserve(expected).await;
    let body = body::read(request, bytes_max).await?;
    let limits =
        decode::DecodeLimits { assets_max: caller.files_max, asset_bytes_max: ctx.limits.file_bytes_max };
    let uploads =
        spawn_blocking(move || decode::uploads(body, limits)).await.map_err(ApiError::internal)??;
    let count = uploads.len() as u64;
    ctx.store.put_assets(&caller.scope, uploads).await?;
    drop(reserved);
    Ok(Success(UploadResult { successful_key_count: count, unsuccessful_keys: Vec::new() }))
}
