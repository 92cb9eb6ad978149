//! Answers: records as JSON.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use offprint_model::id::DeploymentId;
use offprint_model::listing::Record;
use offprint_model::name::ProjectName;
use offprint_store::{Listing, SitePlace};
use offprint_wire::deploys::record::Shown;
use offprint_wire::urls::SiteUrls;
use serde::Serialize;
use serde_json::{Value, json};

use super::problem::Problem;
use crate::state::Context;

/// A listed row as its clients read it.
pub(super) fn shown<'a>(ctx: &Context, listing: &'a Listing) -> Shown<'a> {
    let more = listing.site.as_ref().map(|site| urls(&ctx.urls, &listing.record, site));
    Shown { record: &listing.record, more: more.unwrap_or_default() }
}

/// A listed row with its steps.
pub(super) fn with_steps<'a>(ctx: &Context, listing: &'a Listing, steps: &[Record]) -> Shown<'a> {
    let steps: Vec<Shown<'_>> = steps.iter().map(Shown::of).collect();
    let mut shown = shown(ctx, listing);
    shown.more.push(("steps", json!(steps)));
    shown
}

/// Where a deploy answers: at the server it went to, or at this one.
fn urls(urls: &SiteUrls, record: &Record, site: &SitePlace) -> Vec<(&'static str, Value)> {
    let Ok(project) = ProjectName::parse(&site.project) else { return Vec::new() };
    let mut more = Vec::new();
    if record.get("previewUrl").is_none() {
        let id = DeploymentId::new(site.deployment.clone());
        more.push(("previewUrl", json!(urls.deployment(&project, &id))));
    }
    if record.get("productionUrl").is_none() && site.production {
        more.push(("productionUrl", json!(urls.project(&project))));
    }
    more
}

/// An answer of JSON.
pub(super) struct Answer<T>(pub(super) StatusCode, pub(super) T);

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.1) {
            Ok(body) => {
                let json = HeaderValue::from_static("application/json");
                (self.0, [(header::CONTENT_TYPE, json)], body).into_response()
            }
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

/// That something was done.
pub(super) fn success() -> Answer<Value> {
    Answer(StatusCode::OK, json!({ "success": true }))
}
