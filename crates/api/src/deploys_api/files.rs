//! `/api/app-versions/{id}/files`: what a version holds.
//!
//! Text travels as `content`, everything else as `contentBase64`. A directory is there as long as a file is in it.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{StatusCode, Uri};
use offprint_model::asset::AssetPath;
use offprint_store::{Entity, StoreError, VersionFile};
use serde_json::{Value, json};

use super::body::JsonBody;
use super::caller::{Caller, PathId};
use super::problem::{Problem, Result};
use super::shown::{Answer, success};
use crate::state::Ctx;

/// `GET …/files`: one file, or the directory `path`, the root without one.
pub(super) async fn read(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response> {
    let path = path_of(&uri)?.unwrap_or_default();
    let files = ctx.store.version_files(&caller.0, &id).await?;
    let whole = format!("/{}", path.trim_matches('/'));
    if files.iter().any(|file| file.path == whole) {
        let bytes = ctx.store.version_file(&caller.0, &id, &parse(&path)?).await?;
        return Ok(Answer(StatusCode::OK, shown(&whole, &bytes)).into_response());
    }
    let entries = entries(&files, &whole);
    if entries.is_empty() && whole != "/" {
        return Err(StoreError::NotFound(Entity::File).into());
    }
    Ok(Answer(StatusCode::OK, json!({ "data": entries })).into_response())
}

/// `POST …/files`: a file that is not there yet.
pub(super) async fn create(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(id): PathId,
    body: JsonBody,
) -> Result<Response> {
    put(&ctx, &caller, &id, &body, true).await
}

/// `PATCH …/files`: other content for a file that is there.
pub(super) async fn replace(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(id): PathId,
    body: JsonBody,
) -> Result<Response> {
    put(&ctx, &caller, &id, &body, false).await
}

/// `DELETE …/files?path=`.
pub(super) async fn delete(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response> {
    let path = path_of(&uri)?.ok_or_else(|| Problem::at("path", "is required"))?;
    ctx.store.remove_version_file(&caller.0, &id, &parse(&path)?).await?;
    Ok(success().into_response())
}

async fn put(ctx: &Ctx, caller: &Caller, id: &str, body: &JsonBody, new: bool) -> Result<Response> {
    let object = body.object(&["path", "content", "contentBase64"])?;
    let path = object.required("path", |node| node.text())?;
    let text = object.optional("content", |node| node.text())?;
    let base64 = object.optional("contentBase64", |node| node.text())?;
    let bytes = match (text, base64) {
        (Some(text), None) => Bytes::from(text),
        (None, Some(text)) => Bytes::from(
            base64_simd::STANDARD
                .decode_to_vec(text)
                .map_err(|_| Problem::at("contentBase64", "is not base64 with the standard alphabet"))?,
        ),
        (None, None) => return Err(Problem::unprocessable("content", "is needed, or contentBase64")),
        (Some(_), Some(_)) => {
            return Err(Problem::unprocessable("contentBase64", "cannot be combined with content"));
        }
    };
    if bytes.len() > ctx.limits.file_bytes_max {
        return Err(Problem::unprocessable(
            "content",
            format!("has more than {} bytes", ctx.limits.file_bytes_max),
        ));
    }
    let parsed = parse(&path)?;
    let (whole, size) = (parsed.as_str().to_owned(), bytes.len() as u64);
    ctx.store.put_version_file(&caller.0, id, parsed, bytes, new).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Answer(status, entry(&whole, false, size)).into_response())
}

fn path_of(uri: &Uri) -> Result<Option<String>> {
    let parsed = Query::<BTreeMap<String, String>>::try_from_uri(uri);
    let Query(mut parameters) = parsed.map_err(|_| Problem::at("query", "is not well formed"))?;
    let path = parameters.remove("path");
    match parameters.keys().next() {
        None => Ok(path),
        Some(name) => Err(Problem::at(name, "is no parameter of a version's files")),
    }
}

fn parse(path: &str) -> Result<AssetPath> {
    AssetPath::parse(path).map_err(|error| Problem::at("path", format!("is not a path of a file: {error}")))
}

/// What is directly below a directory.
fn entries(files: &[VersionFile], directory: &str) -> Vec<Value> {
    let prefix = if directory == "/" { "/".to_owned() } else { format!("{directory}/") };
    let mut found: BTreeMap<&str, (bool, u64)> = BTreeMap::new();
    for file in files {
        let Some(rest) = file.path.strip_prefix(&prefix) else { continue };
        let (name, is_directory) = rest.split_once('/').map_or((rest, false), |(name, _)| (name, true));
        let known = found.entry(name).or_insert((is_directory, 0));
        known.1 += file.size;
    }
    let shown = |(name, (is_directory, size)): (&str, (bool, u64))| {
        entry(&format!("{prefix}{name}"), is_directory, size)
    };
    found.into_iter().map(shown).collect()
}

fn entry(path: &str, is_directory: bool, size: u64) -> Value {
    let name = path.rsplit('/').next().unwrap_or_default();
    json!({ "name": name, "path": path.trim_start_matches('/'), "isDirectory": is_directory, "size": size })
}

fn shown(path: &str, bytes: &[u8]) -> Value {
    let mut file = entry(path, false, bytes.len() as u64);
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            file["content"] = json!(text);
            file["contentBase64"] = Value::Null;
        }
        Err(_) => {
            file["content"] = Value::Null;
            file["contentBase64"] = json!(base64_simd::STANDARD.encode_to_string(bytes));
        }
    }
    file
}
