//! `POST /graphql`: two questions, and no GraphQL. wrangler asks the real service's analytics how busy a database was
//! and how much is in a bucket; by the names of those two operations we know what is meant.

use axum::Json;
use axum::extract::State;
use offprint_model::id::{AccountId, ResourceId};
use offprint_model::resource::ResourceKind;
use offprint_store::{AccountScope, Clock, Denied, Permission, StoreError};
use offprint_wire::error_code::ErrorCode;
use offprint_wire::json::{Node, parse};
use offprint_wire::time::Time;
use serde_json::{Value, json};

use crate::auth::Caller;
use crate::body::SmallBody;
use crate::error::{ApiError, Result};
use crate::state::{Context, Ctx};

pub(crate) async fn handle(
    State(ctx): State<Ctx>,
    Caller(principal): Caller,
    SmallBody(body): SmallBody,
) -> Result<Json<Value>> {
    let asked = parse(&body)?;
    let object = Node::root(&asked).object()?;
    let operation = object.optional("operationName", Node::text)?.unwrap_or_default();
    let account = text(&asked["variables"]["accountTag"]);
    let scope =
        principal.scope(&AccountId::new(account), Permission::Read).map_err(|denied| match denied {
            Denied::UnknownAccount | Denied::Insufficient => ErrorCode::PermissionDenied,
        })?;
    let filter = &asked["variables"]["filter"];
    let (name, groups) = match operation.as_str() {
        "getD1MetricsOverviewQuery" => ("d1AnalyticsAdaptiveGroups", database(&ctx, &scope, filter).await?),
        "getR2StorageMetrics" => ("r2StorageAdaptiveGroups", bucket(&ctx, &scope, filter).await?),
        _ => {
            return Err(ApiError::explained(
                ErrorCode::InvalidBody,
                "This server answers the questions of `wrangler d1 info` and `wrangler r2 bucket info` here, and no \
                 other.",
            ));
        }
    };
    Ok(Json(json!({ "data": { "viewer": { "accounts": [{ (name): groups }] } }, "errors": null })))
}

async fn database(ctx: &Context, scope: &AccountScope, filter: &Value) -> Result<Value> {
    let id = ResourceId::new(text(&filter["AND"][0]["databaseId"]));
    let resource = match ctx.store.resource(scope, ResourceKind::D1, &id).await {
        Err(StoreError::NotFound(_)) => return Ok(json!([])),
        found => found?,
    };
    let usage = ctx.resources.d1().usage(&resource);
    Ok(json!([{
        "sum": {
            "readQueries": usage.read_queries,
            "writeQueries": usage.write_queries,
            "rowsRead": usage.rows_read,
            "rowsWritten": usage.rows_written,
        },
        "dimensions": { "datetimeHour": Time(Clock::now()) },
    }]))
}

async fn bucket(ctx: &Context, scope: &AccountScope, filter: &Value) -> Result<Value> {
    let name = text(&filter["bucketName"]);
    let resource = match ctx.store.resource_by_name(scope, ResourceKind::R2, name).await {
        Err(StoreError::NotFound(_)) => return Ok(json!([])),
        found => found?,
    };
    let size = ctx.resources.r2().size(&resource).await?;
    Ok(json!([{
        "max": {
            "objectCount": size.objects,
            "payloadSize": size.bytes,
            "metadataSize": size.metadata_bytes,
        },
        "dimensions": { "datetime": Time(Clock::now()) },
    }]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
