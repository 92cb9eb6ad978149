//! `POST …/import`, and the upload between its steps: `init` names a link, the file is put there, `ingest` runs it, and
//! `poll` asks how it goes when that takes long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::{HeaderValue, header};
use offprint_model::id::ResourceId;
use offprint_resources::d1::{D1Error, Imported};
use offprint_store::{Clock, Resource};
use offprint_wire::d1::{self, ImportAction, Progress, UploadTarget, bookmark, read_import};
use offprint_wire::error_code::ErrorCode;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::link::{self, Upload};
use crate::answer::{Done, Success};
use crate::auth::{D1, InResource, Write};
use crate::body::{SmallBody, too_large, with_patience};
use crate::error::{ApiError, Result};
use crate::front::PREFIX;
use crate::state::{Context, Ctx};

const FILE_BYTES_MAX: u64 = 1 << 30;
/// A step answers within this, though the import goes on.
const PATIENCE: Duration = Duration::from_secs(20);
/// Imports that are remembered, under way and ended.
const REMEMBERED_MAX: usize = 200;

/// The imports of this process, by the bookmarks that clients poll with.
#[derive(Default)]
pub(crate) struct Imports(Mutex<HashMap<String, Import>>);

#[derive(Clone)]
struct Import {
    database: ResourceId,
    outcome: watch::Receiver<Option<Result<Imported, String>>>,
}

pub(crate) async fn step(
    State(ctx): State<Ctx>,
    caller: InResource<Write, D1>,
    SmallBody(body): SmallBody,
) -> Result<Response> {
    match read_import(&body)? {
        ImportAction::Init { etag } => Ok(Success(init(&ctx, &caller.resource, etag)?).into_response()),
        ImportAction::Ingest { etag } => {
            let file = ctx.resources.d1().take_upload(&caller.resource, &etag);
            let file = file.ok_or(ErrorCode::D1NotUploaded)?;
            let at_bookmark = start(&ctx, &caller.resource, file);
            progress(&ctx, &caller.resource, at_bookmark).await
        }
        ImportAction::Poll { bookmark } => progress(&ctx, &caller.resource, bookmark).await,
    }
}

fn init(ctx: &Context, resource: &Resource, etag: String) -> Result<UploadTarget> {
    let filename = format!("{}.{etag}.sql", resource.id());
    let token = link::sign(ctx.store.signing_key(), Upload { database: resource.id().to_string(), etag })?;
    let upload_url = format!("{}{PREFIX}/d1/imports/{token}", ctx.public_url);
    Ok(UploadTarget { filename, upload_url, success: true, messages: Vec::new() })
}

/// `PUT /d1/imports/{token}`: the file. Its MD5 is the entity tag that wrangler compares.
pub(crate) async fn upload(
    State(ctx): State<Ctx>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Response> {
    let asked: Upload = link::verify(ctx.store.signing_key(), &token).ok_or(ErrorCode::D1LinkExpired)?;
    let mut upload = ctx.resources.d1().begin_upload(&ResourceId::new(asked.database), &asked.etag)?;
    let mut pieces = with_patience(request).into_body().into_data_stream();
    let mut length = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| ErrorCode::InvalidBody)?;
        length += piece.len() as u64;
        if length > FILE_BYTES_MAX {
            return Err(too_large(usize::try_from(FILE_BYTES_MAX).unwrap_or(usize::MAX)));
        }
        let written = spawn_blocking(move || upload.write(&piece).map(|()| upload));
        upload = written.await.map_err(ApiError::internal)??;
    }
    if !spawn_blocking(move || upload.finish()).await.map_err(ApiError::internal)?? {
        return Err(ErrorCode::D1OtherUpload.into());
    }
    let mut response = Done.into_response();
    let etag = HeaderValue::try_from(format!("\"{}\"", asked.etag)).map_err(ApiError::internal)?;
    response.headers_mut().insert(header::ETAG, etag);
    Ok(response)
}

/// Runs the file beside the request, which may go away.
fn start(ctx: &Ctx, resource: &Resource, file: std::fs::File) -> String {
    let at_bookmark = bookmark(Clock::now());
    let (ended, outcome) = watch::channel(None);
    ctx.imports.remember(&at_bookmark, Import { database: resource.id().clone(), outcome });
    let (ctx, resource) = (Arc::clone(ctx), resource.clone());
    tokio::spawn(async move {
        let imported = ctx.resources.d1().import(&resource, file).await;
        let outcome = imported.map_err(|error| match error {
            D1Error::Sql(text) => text,
            D1Error::Contents(error) => {
                tracing::error!(%error, database = resource.id().as_str(), "an import failed");
                "The server cannot import the file; its log has the cause.".into()
            }
        });
        ended.send_replace(Some(outcome));
    });
    at_bookmark
}

async fn progress(ctx: &Context, resource: &Resource, at_bookmark: String) -> Result<Response> {
    let import = ctx.imports.find(&at_bookmark, resource.id()).ok_or(ErrorCode::D1NoImport)?;
    let mut outcome = import.outcome;
    let ended = tokio::time::timeout(PATIENCE, outcome.wait_for(Option::is_some)).await;
    let outcome = match ended {
        Ok(Ok(outcome)) => outcome.clone(),
        Ok(Err(_)) | Err(_) => None,
    };
    let mut progress = Progress {
        success: true,
        kind: "import",
        status: "active",
        at_bookmark,
        messages: Vec::new(),
        result: None,
        error: None,
    };
    match outcome {
        None => {}
        Some(Ok(imported)) => {
            progress.status = "complete";
            progress.result = Some(d1::Imported {
                num_queries: imported.queries,
                final_bookmark: bookmark(Clock::now()),
                meta: imported.meta.into(),
            });
        }
        Some(Err(text)) => {
            (progress.success, progress.status, progress.error) = (false, "error", Some(text));
        }
    }
    Ok(Success(progress).into_response())
}

impl Imports {
    fn remember(&self, at_bookmark: &str, import: Import) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            // Bookmarks sort by time: the oldest that has ended goes.
            let ended = known.iter().filter(|(_, import)| import.outcome.borrow().is_some());
            if let Some(oldest) = ended.map(|(bookmark, _)| bookmark.clone()).min() {
                known.remove(&oldest);
            }
        }
        known.insert(at_bookmark.to_owned(), import);
    }

    fn find(&self, at_bookmark: &str, database: &ResourceId) -> Option<Import> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(at_bookmark).filter(|import| import.database == *database).cloned()
    }
}
