//! `POST …/r2/buckets`.

use axum::extract::State;
use http::HeaderMap;
use offprint_model::resource::ResourceKind;
use offprint_wire::error_code::ErrorCode;
use offprint_wire::r2::{Bucket, read_creation};

use super::shown;
use crate::answer::Success;
use crate::auth::{InAccount, Write};
use crate::body::SmallBody;
use crate::error::{ApiError, Result};
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InAccount<Write>,
    headers: HeaderMap,
    SmallBody(body): SmallBody,
) -> Result<Success<Bucket>> {
    if headers.get("cf-r2-jurisdiction").is_some_and(|jurisdiction| jurisdiction != "default") {
        let why = "This server is in one place: buckets have no jurisdiction.";
        return Err(ApiError::explained(ErrorCode::R2InvalidArgument, why));
    }
    let name = read_creation(&body)?
        .map_err(|rule| ApiError::explained(ErrorCode::R2InvalidBucketName, format!("{rule}.")))?;
    let made = ctx.resources.create(&caller.scope, ResourceKind::R2, name).await?;
    Ok(Success(shown(&made)))
}
