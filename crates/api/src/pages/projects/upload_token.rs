//! `GET …/projects/{project_name}/upload-token`: leave to upload, so "Pages Write" although it is a GET.

use axum::extract::State;
use offprint_store::Clock;
use offprint_wire::asset::UploadToken;

use crate::answer::Success;
use crate::auth::{InProject, Write};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(State(ctx): State<Ctx>, caller: InProject<Write>) -> Result<Success<UploadToken>> {
    let jwt = ctx.upload_tokens.issue(&caller.scope, &ctx.limits, Clock::now())?;
    Ok(Success(UploadToken { jwt }))
}
