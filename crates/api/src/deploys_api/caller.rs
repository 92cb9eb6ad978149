//! Who asks: `Authorization: Bearer` with an API key, of the whole workspace or of some apps.

use axum::extract::FromRequestParts;
use http::Method;
use http::request::Parts;
use offprint_store::{Reach, Via};
use offprint_wire::deploys::problem::ProblemCode;

use super::problem::{Problem, Result};
use crate::auth::{Credentials, address, path_parameter};
use crate::state::{Context, Ctx};

/// Somebody whose key is good, and who may do what the method of the request does.
pub(super) struct Caller(pub(super) Reach);

impl FromRequestParts<Ctx> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self> {
        let reach = authenticate(ctx, parts).await?;
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        if !reads && !reach.may_write() {
            return Err(Problem::new(ProblemCode::Forbidden, "This API key may only read."));
        }
        Ok(Self(reach))
    }
}

/// Finds out who is calling.
pub(super) async fn authenticate(ctx: &Context, parts: &Parts) -> Result<Reach> {
    let unauthorized = |why: &'static str| Problem::new(ProblemCode::Unauthorized, why);
    let Ok(Credentials::Bearer(secret)) = Credentials::read(&parts.headers) else {
        return Err(unauthorized("The request needs the header Authorization: Bearer <API key>."));
    };
    let principal = ctx.store.authenticate(&secret).await?;
    let principal = principal.ok_or_else(|| unauthorized("The API key is not known, or has expired."))?;
    Ok(principal.through(Via::DeploysApi, address(parts)).reach())
}

/// The id in the path. Any text is one: what nobody has is not found, not malformed.
pub(super) struct PathId(pub(super) String);

impl FromRequestParts<Ctx> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Ctx) -> Result<Self> {
        path_parameter(parts, "id")
            .await
            .map(Self)
            .map_err(|_| Problem::new(ProblemCode::NotFound, "The id is not UTF-8."))
    }
}
