//! The life of a request, top to bottom.
//!
//! Cloudflare Pages serving rules, "Order of work": redirect rules → method → HTML resolution → not found →
//! default headers, early hints, `_headers`. What is the Worker's has gone elsewhere before. Only then is it settled in which form an asset's
//! bytes are sent, since `_headers` has a say in that.

mod answer;
mod content;
mod earlier;
mod negotiate;
mod ready;

use std::ops::ControlFlow;

use http::{HeaderMap, Method};
use offprint_model::request_path::{RequestUrl, decode_path};
use offprint_model::resolve::{NotFound, Resolution, canonical_location, not_found, resolve};
use offprint_model::rules::redirects::RedirectAction;

use crate::assets::Assets;
use crate::edge::Served;
use crate::ready::Rack;
use crate::site::Site;
use crate::sites::Sites;
use crate::table::SiteRoute;
use answer::Answer;
pub(crate) use ready::prepare;

/// What all requests share.
pub(crate) struct House {
    pub(crate) sites: Sites,
    pub(crate) assets: Assets,
    pub(crate) ready: Rack,
    /// Whether to answer as Cloudflare Pages does, without what Offprint adds.
    pub(crate) is_strict: bool,
    /// How long assets of earlier sites stay reachable, in microseconds; zero: not at all.
    pub(crate) skew_micros: i64,
}

/// A request as the phases see it.
pub(crate) struct Exchange<'r> {
    pub(crate) method: &'r Method,
    /// As requested; redirect and header rules look at nothing else.
    pub(crate) url: RequestUrl<'r>,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) route: SiteRoute<'r>,
    pub(crate) site: &'r Site,
    pub(crate) missing: Missing,
    pub(crate) house: &'r House,
}

/// What becomes of a request for what a site does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The site answers: with an earlier asset, a page of its own, or its front page.
    Answered,
    /// It is nothing but missing: somebody else knows what to say.
    Bare,
}

impl Exchange<'_> {
    fn is_head(&self) -> bool {
        self.method == Method::HEAD || self.method.as_str().eq_ignore_ascii_case("HEAD")
    }

    fn is_get_or_head(&self) -> bool {
        self.method == Method::GET || self.is_head() || self.method.as_str().eq_ignore_ascii_case("GET")
    }
}

/// Answers one request from the assets and rules of one site.
pub(crate) async fn answer(exchange: &Exchange<'_>) -> Served {
    let mut answer = match apply_redirects(exchange) {
        ControlFlow::Break(answer) => answer,
        ControlFlow::Continue(_) if !exchange.is_get_or_head() => Answer::method_not_allowed(),
        ControlFlow::Continue(rewritten) => {
            let path = decode_path(rewritten.as_deref().unwrap_or(exchange.url.path));
            answer_path(exchange, &path).await
        }
    };
    // Nothing but the answer lives while its bytes are fetched: what does is copied with every request.
    match answer.complete(exchange) {
        None => answer.served(exchange),
        Some(wanted) => {
            let content = exchange.house.assets.content(&wanted.blob, wanted.form, wanted.part.clone()).await;
            answer.served_with(exchange, content)
        }
    }
}

/// Redirect rules come before everything else, for every method. A rewrite gives the path to go on with.
fn apply_redirects(exchange: &Exchange<'_>) -> ControlFlow<Answer, Option<String>> {
    match exchange.site.redirects().find(&exchange.url) {
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
async fn answer_path(exchange: &Exchange<'_>, path: &str) -> Answer {
    let site = exchange.site;
    match resolve(path, |name| site.asset(name)) {
        Resolution::Serve(asset) => content::serve(exchange, site, asset).await,
        Resolution::Redirect(path) => {
            Answer::canonical_redirect(&canonical_location(&path, exchange.url.search))
        }
        Resolution::Missing if exchange.missing == Missing::Bare => Answer::not_found(),
        Resolution::Missing => {
            if earlier::may_have(exchange, path)
                && let Some(answer) = Box::pin(earlier::serve(exchange, path)).await
            {
                return answer;
            }
            match not_found(path, |name| site.asset(name)) {
                NotFound::Page(page) => content::serve_not_found(exchange, page).await,
                NotFound::SinglePage(index) => content::serve(exchange, site, index).await,
                NotFound::Empty => Answer::not_found(),
            }
        }
    }
}
