//! `…/namespaces/{namespace_id}/bulk`: many pairs at once. A bulk call changes all of them or none.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use offprint_resources::kv::{KvEntry, KvWrite};
use offprint_wire::json::InvalidMember;
use offprint_wire::kv::{BulkResult, BulkValues, read_bulk_get, read_keys, read_pairs};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::now_s;
use crate::answer::Success;
use crate::auth::{InResource, Kv, Read, Write};
use crate::body::{self, SmallBody, announced_length};
use crate::error::{ApiError, Result};
use crate::state::Ctx;

/// The longest body of a bulk write (Workers KV, "Write multiple key-value pairs").
const BODY_BYTES_MAX: usize = 100 * 1024 * 1024;
/// Values of one bulk read, in all.
const VALUES_BYTES_MAX: usize = 25 * 1024 * 1024;

pub(crate) async fn put(
    State(ctx): State<Ctx>,
    caller: InResource<Write, Kv>,
    request: Request,
) -> Result<Success<BulkResult>> {
    let expected = announced_length(&request).unwrap_or(BODY_BYTES_MAX).min(BODY_BYTES_MAX);
    // The values are held twice while they are read out of the body.
    let reserved = ctx.resources.kv().memory().reserve(expected.saturating_mul(2)).await;
    let body = body::read(request, BODY_BYTES_MAX).await?;
    let pairs = spawn_blocking(move || read_pairs(&body, now_s())).await.map_err(ApiError::internal)??;
    let count = pairs.len();
    let put = |pair: offprint_wire::kv::Pair| KvWrite::Put {
        key: pair.key,
        value: pair.value.into(),
        metadata: pair.metadata,
        expires: pair.expires,
    };
    ctx.resources.kv().write(&caller.resource, pairs.into_iter().map(put).collect()).await?;
    drop(reserved);
    Ok(Success(BulkResult { successful_key_count: count, unsuccessful_keys: Vec::new() }))
}

pub(crate) async fn delete(
    State(ctx): State<Ctx>,
    caller: InResource<Write, Kv>,
    request: Request,
) -> Result<Success<BulkResult>> {
    // Ten thousand of the longest keys, escaped.
    let body = body::read(request, 32 * 1024 * 1024).await?;
    let keys = read_keys(&body)?;
    let count = keys.len();
    ctx.resources.kv().write(&caller.resource, keys.into_iter().map(KvWrite::Delete).collect()).await?;
    Ok(Success(BulkResult { successful_key_count: count, unsuccessful_keys: Vec::new() }))
}

/// Although it is a `POST`, it only reads.
pub(crate) async fn get(
    State(ctx): State<Ctx>,
    caller: InResource<Read, Kv>,
    SmallBody(body): SmallBody,
) -> Result<Success<BulkValues>> {
    let asked = read_bulk_get(&body)?;
    let (mut values, mut bytes) = (BTreeMap::new(), 0);
    for key in asked.keys {
        let entry = ctx.resources.kv().get(&caller.resource, key.clone()).await?;
        bytes += entry.as_ref().map_or(0, |entry| entry.value.len());
        if bytes > VALUES_BYTES_MAX {
            return Err(InvalidMember::new("keys", "have more than 25 MiB of values").into());
        }
        let value = match entry {
            None => Value::Null,
            Some(entry) => shown(&entry, asked.json, asked.with_metadata)?,
        };
        values.insert(key.as_str().to_owned(), value);
    }
    Ok(Success(BulkValues { values }))
}

fn shown(entry: &KvEntry, as_json: bool, with_metadata: bool) -> Result<Value> {
    let value = match as_json {
        true => serde_json::from_slice(&entry.value)
            .map_err(|_| InvalidMember::new("keys", "name a value that is not JSON"))?,
        false => Value::String(String::from_utf8_lossy(&entry.value).into_owned()),
    };
    if !with_metadata {
        return Ok(value);
    }
    let metadata: Option<Value> = entry.metadata.as_deref().and_then(|json| serde_json::from_str(json).ok());
    Ok(json!({ "value": value, "metadata": metadata }))
}
