//! `GET …/namespaces/{namespace_id}/metadata/{key_name}`.

use axum::extract::State;
use offprint_wire::error_code::ErrorCode;
use offprint_wire::kv::raw;
use serde_json::value::RawValue;

use super::values::PathKey;
use crate::answer::Success;
use crate::auth::{InResource, Kv, Read};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InResource<Read, Kv>,
    PathKey(key): PathKey,
) -> Result<Success<Option<Box<RawValue>>>> {
    let found = ctx.resources.kv().metadata(&caller.resource, key).await?;
    let (metadata, _) = found.ok_or(ErrorCode::KvKeyNotFound)?;
    Ok(Success(raw(metadata)))
}
