//! `POST …/export`, and the download that it leads to.
//!
//! The real service makes a file and is polled meanwhile. Here the answer names a link at once, and the export is
//! written while it is downloaded: nothing lies about.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use futures_util::stream;
use http::{HeaderValue, header};
use offprint_model::id::ResourceId;
use offprint_model::resource::ResourceKind;
use offprint_resources::d1::{D1Error, DumpOptions};
use offprint_store::Clock;
use offprint_wire::d1::{self, Exported, Progress, bookmark, read_export};
use offprint_wire::error_code::ErrorCode;

use super::link::{self, Download};
use crate::answer::Success;
use crate::auth::{D1, InResource, Read};
use crate::body::SmallBody;
use crate::error::Result;
use crate::front::PREFIX;
use crate::state::Ctx;

pub(crate) async fn start(
    State(ctx): State<Ctx>,
    caller: InResource<Read, D1>,
    SmallBody(body): SmallBody,
) -> Result<Success<Progress<Exported>>> {
    let options = read_export(&body)?;
    let at_bookmark = bookmark(Clock::now());
    let mut progress = Progress {
        success: true,
        kind: "export",
        status: "complete",
        at_bookmark: at_bookmark.clone(),
        messages: Vec::new(),
        result: None,
        error: None,
    };
    // What cannot be exported is said before a link is given.
    let mut pieces = ctx.resources.d1().export(&caller.resource, options_of(&options)).await?;
    if let Some(Err(D1Error::Sql(text))) = pieces.recv().await {
        (progress.success, progress.status, progress.error) = (false, "error", Some(text));
        return Ok(Success(progress));
    }
    let token = link::sign(
        ctx.store.signing_key(),
        Download::new(caller.scope.account(), &caller.resource, options),
    )?;
    progress.result = Some(Exported {
        filename: format!("{}-{at_bookmark}.sql", caller.resource.id()),
        signed_url: format!("{}{PREFIX}/d1/exports/{token}", ctx.public_url),
    });
    Ok(Success(progress))
}

/// `GET /d1/exports/{token}`: the SQL.
pub(crate) async fn download(State(ctx): State<Ctx>, Path(token): Path<String>) -> Result<Response> {
    let asked: Download = link::verify(ctx.store.signing_key(), &token).ok_or(ErrorCode::D1LinkExpired)?;
    let id = ResourceId::new(asked.database);
    let resource = ctx.store.resource_of_link(&asked.account, ResourceKind::D1, &id).await?;
    let pieces = ctx.resources.d1().export(&resource, options_of(&asked.options)).await?;
    let pieces = stream::unfold(pieces, |mut pieces| async move {
        let piece = pieces.recv().await?;
        Some((piece.map_err(std::io::Error::other), pieces))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let kind = HeaderValue::from_static("application/sql");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

fn options_of(options: &d1::DumpOptions) -> DumpOptions {
    DumpOptions { tables: options.tables.clone(), no_schema: options.no_schema, no_data: options.no_data }
}
