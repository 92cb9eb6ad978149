//! One call of a forge's API: address, token, body, and errors by what to do about them.
//!
//! The address of the API is a project's setting, so a tenant chooses whom this server calls. Every address is
//! judged after its name was resolved and the connection goes to the address that was judged; redirects are
//! not followed, and nothing of an answer reaches the tenant.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use offprint_model::secret::Secret;
use offprint_store::Clock;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Response, Url};
use serde_json::Value;

/// How long a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest answer that is read: a page of a hundred long comments.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// How much of a refusal is quoted in the server's log.
const QUOTE_BYTES_MAX: usize = 200;

/// Whether the server may connect to this address, which the host of a tenant's choice resolved to.
pub type MayReach = Arc<dyn Fn(&str, u16, IpAddr) -> bool + Send + Sync>;

/// Why a call did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForgeError {
    /// The forge wants to be left alone for a while: this long, where it said so.
    #[error("the forge limits our calls")]
    Busy(Option<Duration>),
    /// It may pass by itself.
    #[error("{0}")]
    Passing(String),
    /// There is no such thing, or the token may not see it.
    #[error("the forge knows no such thing, or not for this token (404)")]
    Gone,
    /// The forge understood and said no.
    #[error("the forge refused with {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of its answer.
        message: String,
    },
    /// The settings lead to no call at all.
    #[error("{0}")]
    Unusable(&'static str),
}

/// How a forge wants to be shown the token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TokenHeader {
    /// `Authorization: Bearer …` (GitHub).
    Bearer,
    /// `PRIVATE-TOKEN: …` (GitLab).
    Private,
    /// `Authorization: token …` (Forgejo, Gitea).
    Token,
}

/// The API of one forge, with the token of one project.
pub(crate) struct ForgeApi {
    http: Client,
    base: Url,
    headers: HeaderMap,
}

impl ForgeApi {
    /// Prepares calls to the API at `base`.
    ///
    /// # Errors
    /// [`ForgeError::Unusable`] where the address or the token cannot be used.
    pub(crate) fn new(
        base: &str,
        style: TokenHeader,
        token: &Secret<String>,
        may_reach: &MayReach,
    ) -> Result<Self, ForgeError> {
        let base = Url::parse(base).map_err(|_| ForgeError::Unusable("the API's address is no URL"))?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(ForgeError::Unusable("the API's address begins with http:// or https://"));
        }
        let port = base.port_or_known_default().unwrap_or(443);
        if let Some(literal) = literal_address(&base)
            && !may_reach(base.host_str().unwrap_or_default(), port, literal)
        {
            return Err(ForgeError::Unusable("the API's address is one that this server may not call"));
        }
        let resolver = Guarded { port, may_reach: Arc::clone(may_reach) };
        let mut builder = Client::builder()
            .user_agent(concat!("offprint/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            // A proxy would resolve the name itself, unseen by the guard.
            .no_proxy()
            .dns_resolver(resolver)
            .timeout(CALL_TIMEOUT);
        if base.scheme() == "http" {
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|_| ForgeError::Unusable("no TLS certificates can be read"))?;
        Ok(Self { http, base, headers: headers(style, token)? })
    }

    /// A further header of every call.
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// Calls a path below the API's address; each segment is percent-encoded whole, slashes included.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub(crate) async fn call(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Value, ForgeError> {
        let mut request = self.http.request(method, self.url(segments, query)?).headers(self.headers.clone());
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.map_err(passing)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = read(response).await?;
        if (200..300).contains(&status) {
            // An answer without a body is one as well: some versions edit with 204.
            return Ok(serde_json::from_slice(&body).unwrap_or(Value::Null));
        }
        Err(failure(status, &headers, &body))
    }

    fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Url, ForgeError> {
        // `.` and `..` would be resolved away and lead to another endpoint.
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(ForgeError::Unusable("the repository's name cannot be put into a path"));
        }
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| ForgeError::Unusable("the API's address cannot carry a path"))?
            .pop_if_empty()
            .extend(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

fn headers(style: TokenHeader, token: &Secret<String>) -> Result<HeaderMap, ForgeError> {
    let (name, value) = match style {
        TokenHeader::Bearer => ("authorization", format!("Bearer {}", token.expose())),
        TokenHeader::Private => ("private-token", token.expose().clone()),
        TokenHeader::Token => ("authorization", format!("token {}", token.expose())),
    };
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| ForgeError::Unusable("the token holds characters that no token has"))?;
    value.set_sensitive(true);
    let accept = HeaderValue::from_static("application/json");
    Ok(HeaderMap::from_iter([
        (HeaderName::from_static(name), value),
        (HeaderName::from_static("accept"), accept),
    ]))
}

/// An address in the URL itself, which no resolver is asked about.
fn literal_address(base: &Url) -> Option<IpAddr> {
    base.host_str()?.trim_matches(['[', ']']).parse().ok()
}

/// What resolves the host of an address, and keeps only those that may be reached.
///
/// # Errors
/// Why the address cannot be used.
pub(crate) fn guard(base: &str, may_reach: &MayReach) -> Result<Guarded, &'static str> {
    let base = Url::parse(base).map_err(|_| "is no URL")?;
    let port = base.port_or_known_default().unwrap_or(443);
    if let Some(literal) = literal_address(&base)
        && !may_reach(base.host_str().unwrap_or_default(), port, literal)
    {
        return Err("is one that this server may not call");
    }
    Ok(Guarded { port, may_reach: Arc::clone(may_reach) })
}

/// Resolves names and keeps only the addresses that may be reached.
pub(crate) struct Guarded {
    port: u16,
    may_reach: MayReach,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (port, may_reach) = (self.port, Arc::clone(&self.may_reach));
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = tokio::net::lookup_host((host.as_str(), port)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|address| may_reach(&host, port, address.ip())).collect();
            if allowed.is_empty() {
                return Err("every address of the host is one that this server may not call".into());
            }
            let allowed: Addrs = Box::new(allowed.into_iter());
            Ok(allowed)
        })
    }
}

fn passing(error: reqwest::Error) -> ForgeError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    ForgeError::Passing(text)
}

async fn read(mut response: Response) -> Result<Vec<u8>, ForgeError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(passing)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(ForgeError::Passing("the forge's answer is too long".into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failure(status: u16, headers: &HeaderMap, body: &[u8]) -> ForgeError {
    let message = quote(body);
    match status {
        429 => ForgeError::Busy(pause(headers)),
        // GitHub refuses with 403 what is only too much at once.
        403 if is_rate_limit(headers, &message) => ForgeError::Busy(pause(headers)),
        404 | 410 => ForgeError::Gone,
        408 | 500.. => ForgeError::Passing(format!("the forge answered {status}")),
        _ => ForgeError::Refused { status, message },
    }
}

fn is_rate_limit(headers: &HeaderMap, message: &str) -> bool {
    headers.contains_key(RETRY_AFTER)
        || number(headers, "x-ratelimit-remaining") == Some(0)
        || message.to_ascii_lowercase().contains("rate limit")
}

/// How long the forge wants us to wait: `Retry-After`, else until its window begins anew.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    if let Some(seconds) = number(headers, RETRY_AFTER.as_str()) {
        return Some(Duration::from_secs(seconds));
    }
    let reset = number(headers, "x-ratelimit-reset").or_else(|| number(headers, "ratelimit-reset"))?;
    let now = u64::try_from(Clock::now().as_micros() / 1_000_000).unwrap_or(0);
    Some(Duration::from_secs(reset.saturating_sub(now)))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The beginning of an answer on one line, for the server's log.
fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(QUOTE_BYTES_MAX)]);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> ForgeError {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::try_from(*value).unwrap()));
        failure(status, &headers.collect(), body.as_bytes())
    }

    fn api(base: &str, may_reach: MayReach) -> Result<ForgeApi, ForgeError> {
        ForgeApi::new(base, TokenHeader::Bearer, &Secret::new("t".into()), &may_reach)
    }

    #[test]
    fn limits_are_told_from_refusals() {
        let waits = |error| match error {
            ForgeError::Busy(wait) => wait,
            other => panic!("{other}"),
        };
        assert_eq!(waits(answer(429, &[("retry-after", "7")], "")), Some(Duration::from_secs(7)));
        assert_eq!(waits(answer(403, &[("retry-after", "60")], "")), Some(Duration::from_secs(60)));
        assert_eq!(waits(answer(403, &[], "You have exceeded a secondary rate limit")), None);
        let reset = (Clock::now().as_micros() / 1_000_000 + 30).to_string();
        let wait =
            waits(answer(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &reset)], "")).unwrap();
        assert!((28..=30).contains(&wait.as_secs()), "{wait:?}");
        assert!(matches!(
            answer(403, &[], "Resource not accessible"),
            ForgeError::Refused { status: 403, .. }
        ));
        assert!(matches!(answer(401, &[], "Bad credentials"), ForgeError::Refused { status: 401, .. }));
        assert!(matches!(answer(404, &[], ""), ForgeError::Gone));
        assert!(matches!(answer(502, &[], ""), ForgeError::Passing(_)));
    }

    #[test]
    fn names_stay_within_their_segment() {
        let api = api("https://gitlab.example/api/v4/", Arc::new(|_, _, _| true)).unwrap();
        let url = api.url(&["projects", "group/sub/site", "statuses", "ab"], &[("page", "1")]).unwrap();
        assert_eq!(
            url.as_str(),
            "https://gitlab.example/api/v4/projects/group%2Fsub%2Fsite/statuses/ab?page=1"
        );
        assert!(matches!(api.url(&["repos", "..", "x"], &[]), Err(ForgeError::Unusable(_))));
    }

    #[tokio::test]
    async fn an_address_that_may_not_be_reached_is_not_called() {
        let nobody: MayReach = Arc::new(|_, _, _| false);
        for literal in ["http://127.0.0.1:1", "http://[::1]:1", "http://169.254.169.254", "http://2130706433"]
        {
            assert!(matches!(api(literal, Arc::clone(&nobody)), Err(ForgeError::Unusable(_))), "{literal}");
        }
        assert!(matches!(api("file:///etc/passwd", Arc::clone(&nobody)), Err(ForgeError::Unusable(_))));
        let named = api("http://localhost:1", nobody).unwrap();
        let error = named.call(Method::GET, &["x"], &[], None).await.unwrap_err();
        assert!(matches!(error, ForgeError::Passing(_)), "{error}");
    }
}
