//! The description of both APIs, made of what the code itself reads and writes.
//!
//! Of the Deploys API, that is the fields and relations of the entities, the shorthands of their lists, and the problem
//! codes; of the Pages API, the shapes of its answers. The bodies that are sent are read by hand, member by member, and
//! described by hand: schemathesis holds the two against one another. A test compares the operations with the routes.
//!
//! What lost: attributes on each handler (utoipa). They would say the fields of every entity a second time, know nothing
//! of filters and orders, and are the dearest part of a build that has them.

mod deploys;
mod operation;
mod pages;
mod schema;

use axum::response::{Html, IntoResponse};
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};

use operation::Operation;
use schema::Shapes;

/// `GET /openapi.json`.
pub(crate) async fn document() -> impl IntoResponse {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], describe().to_string())
}

/// `GET /api-docs`: the same for people. Everything is in the page; it fetches the document and nothing else.
pub(crate) async fn page() -> Html<&'static str> {
    Html(include_str!("page.html"))
}

/// The whole document.
fn describe() -> Value {
    let mut shapes = Shapes::default();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations(&mut shapes) {
        let method = operation.method.as_str().to_ascii_lowercase();
        let path = paths.entry(operation.path.clone()).or_insert_with(|| json!({}));
        path[method] = operation.described();
    }
    let mut schemas = shapes.into_schemas();
    schemas.extend(pages::schemas());
    schemas.extend(deploys::schemas());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Offprint",
            "version": env!("CARGO_PKG_VERSION"),
            "description": include_str!("about.md"),
        },
        "servers": [{ "url": "/" }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "authEmail": { "type": "apiKey", "in": "header", "name": "X-Auth-Email" },
                "authKey": { "type": "apiKey", "in": "header", "name": "X-Auth-Key" },
            },
            "schemas": schemas,
            "responses": operation::refusals(),
        },
    })
}

/// All operations, in the order in which they are shown.
fn operations(shapes: &mut Shapes) -> Vec<Operation> {
    let mut all = deploys::operations();
    all.extend(pages::operations(shapes));
    all
}

/// The sections of the page.
fn tags() -> Value {
    let all = deploys::TAGS.iter().chain(&pages::TAGS);
    all.map(|(name, about)| json!({ "name": name, "description": about })).collect()
}

#[cfg(test)]
mod tests;
