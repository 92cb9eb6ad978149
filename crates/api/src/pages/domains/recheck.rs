//! `PATCH …/domains/{domain_name}`: checks the domain again. There is nothing to change in one.

use axum::extract::State;
use offprint_wire::domain::Domain;

use super::{PathName, check};
use crate::answer::Success;
use crate::auth::{InProject, Write};
use crate::error::Result;
use crate::state::Ctx;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    PathName(name): PathName,
) -> Result<Success<Domain>> {
    let domain = check::run(&ctx, &caller.scope, &name).await?;
    Ok(Success(Domain::from(&domain)))
}
