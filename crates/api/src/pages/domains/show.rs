//! `GET …/domains/{domain_name}`.

use axum::extract::State;
use offprint_wire::domain::Domain;

use super::PathName;
use crate::answer::Success;
use crate::auth::{InProject, Read};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Read>,
    PathName(name): PathName,
) -> Result<Success<Domain>> {
    Ok(Success(Domain::from(&ctx.store.domain(&caller.scope, &name).await?)))
}
