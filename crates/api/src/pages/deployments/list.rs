//! `GET …/deployments`: newest first.

use axum::extract::State;
use http::Uri;
use offprint_model::config::Environment;
use offprint_wire::deployment::Deployment;
use offprint_wire::error_code::ErrorCode;

use crate::answer::PageOf;
use crate::auth::{InProject, Read};
use crate::error::Result;
use crate::query::Parameters;
use crate::state::Ctx;

/// Default and maximum are the same; more is refused (Pages API, "Paging").
const PER_PAGE: u64 = 25;

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    caller: InProject<Read>,
    uri: Uri,
) -> Result<PageOf<Deployment>> {
    let parameters = Parameters::of(&uri)?;
    let paging = parameters.paging(PER_PAGE, PER_PAGE)?;
    let environment = match parameters.get("env") {
        None => None,
        Some("production") => Some(Environment::Production),
        Some("preview") => Some(Environment::Preview),
        Some(_) => return Err(ErrorCode::InvalidListOptions.into()),
    };
    let listed = ctx.store.list_deployments(&caller.scope, environment, paging.into()).await?;
    let items = listed.items.iter().map(|deployment| Deployment::new(deployment, &ctx.urls)).collect();
    Ok(PageOf { items, paging, total: listed.total })
}
