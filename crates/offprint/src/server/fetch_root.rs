//! Asking the edge for the root of a deployment, as a visitor would: the last step of a deploy.

use std::sync::Arc;

use http::Request;
use offprint_edge::{Destination, Edge, Outcome};
use offprint_pipeline::{FetchRoot, RootAnswer};
use offprint_wire::urls::SiteUrls;

/// Asks the edge of this process.
pub(super) fn through(edge: &Edge, urls: &SiteUrls) -> FetchRoot {
    let (edge, urls) = (edge.clone(), urls.clone());
    Arc::new(move |project, id| {
        let host = format!("{}.{}", id.short(), urls.project_host(project));
        Box::pin(fetch(edge.clone(), host))
    })
}

async fn fetch(edge: Edge, host: String) -> Result<RootAnswer, String> {
    // The poke may not have been heard yet.
    edge.refresh().await.map_err(|error| error.to_string())?;
    let request = Request::get("/").header("host", &host).body(());
    let request = request.map_err(|error| error.to_string())?;
    match edge.destination(&request) {
        Destination::Site(site) => Ok(match edge.serve(site, &request).await {
            Outcome::Served(served) => RootAnswer::Status(served.response.status().as_u16()),
            Outcome::Worker(_) => RootAnswer::Worker,
        }),
        Destination::Platform | Destination::BadHost => Err(format!("{host} is not the host of a site")),
    }
}
