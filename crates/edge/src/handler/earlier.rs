//! Assets of earlier deployments, for pages that were loaded before the latest one went live.

use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue};
use offprint_model::fingerprint::is_fingerprinted;
use offprint_model::resolve::{Resolution, resolve};
use offprint_model::time::Timestamp;
use offprint_store::Clock;

use super::answer::Answer;
use super::content::{self, X_ROBOTS_TAG};
use super::{Exchange, House};
use crate::site::{Site, SiteAsset};

const X_EARLIER_DEPLOYMENT: HeaderName = HeaderName::from_static("x-offprint-earlier-deployment");
const A_WEEK: HeaderValue = HeaderValue::from_static("public, s-maxage=604800");

/// Whether it is worth looking.
pub(super) fn may_have(exchange: &Exchange<'_>, path: &str) -> bool {
    exchange.route.has_earlier() && may_keep(exchange.house, path)
}

/// Whether what was at a path is kept when it is gone.
pub(super) fn may_keep(house: &House, path: &str) -> bool {
    house.skew_micros > 0 && (house.is_strict || is_fingerprinted(path))
}

/// What an earlier deployment had at a path that the live one lacks.
///
/// Skew protection: the latest earlier asset of that very name, if the name carries a hash of the content, so
/// that what was removed on purpose is gone. Strict: asset preservation (Cloudflare Pages serving rules),
/// which keeps whatever had been served; there it depends on what a data centre remembers, here it does not.
pub(super) async fn serve(exchange: &Exchange<'_>, path: &str) -> Option<Answer> {
    let house = exchange.house;
    let since = Timestamp::from_micros(Clock::now().as_micros().saturating_sub(house.skew_micros));
    for earlier in exchange.route.earlier_since(since) {
        let site = match house.sites.get(&earlier.site).await {
            Ok(site) => site,
            Err(error) => {
                tracing::warn!(host = exchange.url.host, %error, "cannot load an earlier site");
                continue;
            }
        };
        let Some(asset) = find(&site, path, house.is_strict) else { continue };
        let mut answer = content::serve(exchange, &site, asset).await;
        if answer.status.is_success() {
            answer.headers.insert(CACHE_CONTROL, A_WEEK);
            answer.headers.insert(X_ROBOTS_TAG, HeaderValue::from_static("noindex"));
        }
        if !house.is_strict
            && let Ok(short) = HeaderValue::try_from(earlier.deployment.to_string())
        {
            answer.headers.insert(X_EARLIER_DEPLOYMENT, short);
        }
        return Some(answer);
    }
    None
}

fn find<'s>(site: &'s Site, path: &str, is_strict: bool) -> Option<&'s SiteAsset> {
    if !is_strict {
        return site.asset(path);
    }
    match resolve(path, |name| site.asset(name)) {
        Resolution::Serve(asset) => Some(asset),
        Resolution::Redirect(_) | Resolution::Missing => None,
    }
}
