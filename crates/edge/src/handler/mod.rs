//! The life of a request, top to bottom.
//!
//! Cloudflare Pages serving rules, "Order of work": Worker → redirect rules → method → HTML resolution →
//! not found → default headers, early hints, `_headers`.

mod answer;
mod content;
mod negotiate;

use std::ops::ControlFlow;

use http::{HeaderMap, Method, Response};
use offprint_model::request_path::{RequestUrl, decode_path};
use offprint_model::resolve::{NotFound, Resolution, canonical_location, not_found, resolve};
use offprint_model::rules::redirects::RedirectAction;

use crate::asset_cache::AssetCache;
use crate::body::EdgeBody;
use crate::pages;
use crate::site::Site;
use answer::Answer;

/// A request as the phases see it.
pub(crate) struct Exchange<'r> {
    pub(crate) method: &'r Method,
    /// As requested; redirect and header rules look at nothing else.
    pub(crate) url: RequestUrl<'r>,
    pub(crate) headers: &'r HeaderMap,
    /// Whether the host is a deployment's or a branch's own.
    pub(crate) is_preview: bool,
}

impl Exchange<'_> {
    fn is_head(&self) -> bool {
        self.method == Method::HEAD || self.method.as_str().eq_ignore_ascii_case("HEAD")
    }

    fn is_get_or_head(&self) -> bool {
        self.method == Method::GET || self.is_head() || self.method.as_str().eq_ignore_ascii_case("GET")
    }
}

/// Answers one request from one site.
pub(crate) async fn answer(site: &Site, assets: &AssetCache, exchange: &Exchange<'_>) -> Response<EdgeBody> {
    if site.reaches_worker(exchange.url.path) {
        return pages::NO_FUNCTIONS.answer(exchange.is_head());
    }
    let answer = match apply_redirects(site, exchange) {
        ControlFlow::Break(answer) => answer,
        ControlFlow::Continue(_) if !exchange.is_get_or_head() => Answer::method_not_allowed(),
        ControlFlow::Continue(rewritten) => {
            let path = decode_path(rewritten.as_deref().unwrap_or(exchange.url.path));
            answer_path(site, assets, exchange, &path).await
        }
    };
    answer.finish(site, exchange)
}

/// Redirect rules come before everything else, for every method. A rewrite gives the path to go on with.
fn apply_redirects(site: &Site, exchange: &Exchange<'_>) -> ControlFlow<Answer, Option<String>> {
    match site.redirects().find(&exchange.url) {
        None => ControlFlow::Continue(None),
        Some(Ok(RedirectAction::Rewrite(path))) => ControlFlow::Continue(Some(path)),
        Some(Ok(RedirectAction::Redirect { status, location })) => {
            ControlFlow::Break(Answer::rule_redirect(status, &location))
        }
        Some(Err(unusable)) => {
            tracing::debug!(host = exchange.url.host, path = exchange.url.path, %unusable, "redirect rule failed");
            ControlFlow::Break(Answer::internal_error())
        }
    }
}

/// What the site has at a decoded path.
async fn answer_path(site: &Site, assets: &AssetCache, exchange: &Exchange<'_>, path: &str) -> Answer {
    match resolve(path, |name| site.asset(name)) {
        Resolution::Serve(asset) => content::serve(assets, exchange, asset).await,
        Resolution::Redirect(path) => {
            Answer::canonical_redirect(&canonical_location(&path, exchange.url.search))
        }
        Resolution::Missing => match not_found(path, |name| site.asset(name)) {
            NotFound::Page(page) => content::serve_not_found(assets, exchange, page).await,
            NotFound::SinglePage(index) => content::serve(assets, exchange, index).await,
            NotFound::Empty => Answer::not_found(),
        },
    }
}
