//! The description of the Deploys API, made of what the code itself reads: the fields and relations of the entities, the
//! shorthands of their lists, the problem codes. The operations are in [`operations`].
//!
//! What lost: attributes on each handler and shape (utoipa). They would say the fields of every entity a second time, know
//! nothing of filters and orders, and are the dearest part of a build that has them.

mod operations;
mod schemas;

use axum::response::{Html, IntoResponse};
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};

use operations::{Operation, operations};

/// `GET /openapi.json`.
pub(super) async fn document() -> impl IntoResponse {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], describe().to_string())
}

/// `GET /api-docs`: the same for people. Everything is in the page; it fetches the document and nothing else.
pub(super) async fn page() -> Html<&'static str> {
    Html(include_str!("openapi/page.html"))
}

/// The whole document.
pub(super) fn describe() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let path = paths.entry(format!("/api{}", operation.path)).or_insert_with(|| json!({}));
        path[operation.method] = described(&operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Offprint Deploys API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": include_str!("openapi/about.md"),
        },
        "servers": [{ "url": "/" }],
        "security": [{ "apiKey": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "apiKey": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas::all(),
            "responses": { "Problem": {
                "description": "Why the call was refused.",
                "content": { "application/json": { "schema": schemas::reference("Problem") } },
            } },
        },
    })
}

fn described(operation: &Operation) -> Value {
    let mut parameters = operation.parameters.clone();
    if operation.path.contains("{id}") {
        parameters.insert(
            0,
            json!({
                "name": "id", "in": "path", "required": true, "schema": { "type": "string" },
            }),
        );
    }
    if operation.method == "post" {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
            "description": "The same key with the same call is answered as the first time, for 24 hours.",
        }));
    }
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag()],
        "parameters": parameters,
        "responses": {
            operation.status: {
                "description": "Done.",
                "headers": { "x-request-id": { "schema": { "type": "string" } } },
                "content": { operation.media_type: { "schema": operation.answer } },
            },
            "4XX": { "$ref": "#/components/responses/Problem" },
            "5XX": { "$ref": "#/components/responses/Problem" },
        },
    });
    if let Some(body) = &operation.body {
        described["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": body } },
        });
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploys_api::table::table;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_routed_is_described_and_the_other_way_round() {
        let routed: BTreeSet<&str> = table().iter().map(|(path, _)| *path).collect();
        let described: BTreeSet<&str> = operations().iter().map(|operation| operation.path).collect();
        assert_eq!(routed, described);
    }

    #[test]
    fn every_reference_leads_somewhere_and_ids_are_unique() {
        let document = describe();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        let ids: BTreeSet<&str> = operations().iter().map(|operation| operation.id).collect();
        assert_eq!(ids.len(), operations().len());
    }
}
