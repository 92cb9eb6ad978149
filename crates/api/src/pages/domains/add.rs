//! `POST …/domains`: adds a domain and checks it once.

use axum::extract::State;
use offprint_wire::domain::{self, Domain};
use offprint_wire::error_code::ErrorCode;
use offprint_wire::json::InvalidMember;

use super::check;
use crate::answer::Success;
use crate::auth::{InProject, Write};
use crate::body::SmallBody;
use crate::error::{ApiError, Result};
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    SmallBody(body): SmallBody,
) -> Result<Success<Domain>> {
    let name = domain::read_request(&body).map_err(refused)?;
    if ctx.urls.owns(name.as_str()) {
        return Err(ErrorCode::DomainReserved.into());
    }
    ctx.store.add_domain(&caller.scope, &name).await?;
    let domain = check::run(&ctx, &caller.scope, &name).await?;
    Ok(Success(Domain::from(&domain)))
}

/// The real service answers a missing or bad name with a code of its own.
fn refused(error: InvalidMember) -> ApiError {
    if error.path == "name" {
        ApiError::explained(ErrorCode::InvalidDomain, format!("invalid TLD: {error}"))
    } else {
        error.into()
    }
}
