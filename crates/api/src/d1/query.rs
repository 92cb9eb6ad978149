//! `POST …/query` and `POST …/raw`: SQL, with the results of every statement. Who may only read may not call them: SQL
//! can do anything.

use axum::extract::{Request, State};
use offprint_resources::d1::ResultsOf;
use offprint_wire::d1::{Answer, Rows, read_queries};

use crate::answer::Success;
use crate::auth::{D1, InResource, Write};
use crate::body::{self, announced_length};
use crate::error::Result;
use crate::state::Ctx;

/// The longest batch.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Rows as objects.
pub(crate) async fn objects(
    ctx: State<Ctx>,
    caller: InResource<Write, D1>,
    request: Request,
) -> Result<Success<Vec<Answer>>> {
    run(ctx, caller, request, Rows::Objects).await
}

/// Rows as arrays.
pub(crate) async fn arrays(
    ctx: State<Ctx>,
    caller: InResource<Write, D1>,
    request: Request,
) -> Result<Success<Vec<Answer>>> {
    run(ctx, caller, request, Rows::Arrays).await
}

async fn run(
    State(ctx): State<Ctx>,
    caller: InResource<Write, D1>,
    request: Request,
    shape: Rows,
) -> Result<Success<Vec<Answer>>> {
    let expected = announced_length(&request).unwrap_or(BODY_BYTES_MAX).min(BODY_BYTES_MAX);
    let _reserved = ctx.resources.d1().memory().reserve(expected).await;
    let body = body::read(request, BODY_BYTES_MAX).await?;
    let queries = read_queries(&body)?;
    drop(body);
    let results = ctx.resources.d1().run(&caller.resource, queries, ResultsOf::Statements).await?;
    Ok(Success(results.into_iter().map(|result| Answer::new(result, shape)).collect()))
}
