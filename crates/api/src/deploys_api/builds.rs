//! `/api/builds`: make content of a version.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use offprint_model::listing::Entity as Listed;

use super::body::JsonBody;
use super::caller::Caller;
use super::problem::{Problem, Result};
use super::shown::{Answer, shown};
use crate::state::Ctx;

/// `POST /api/builds`.
pub(super) async fn create(State(ctx): State<Ctx>, caller: Caller, body: JsonBody) -> Result<Response> {
    let object = body.object(&["appVersionId"])?;
    let version = object.required("appVersionId", |node| node.text())?;
    let made = ctx.store.create_version_build(&caller.0, &version).await;
    let made = made.map_err(Problem::naming(&[(Listed::AppVersion, "appVersionId")]))?;
    ctx.wake.pipeline();
    Ok(Answer(StatusCode::CREATED, shown(&ctx, &made)).into_response())
}
