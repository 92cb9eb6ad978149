//! The calls, one file for each kind of thing.

mod deploy_hooks;
pub(crate) mod deployments;
mod projects;
pub(crate) mod source;
pub(crate) mod tokens;
pub(crate) mod uploads;

use std::sync::Arc;
use std::time::Duration;

use offprint_model::id::AccountId;
use offprint_model::secret::Secret;
use reqwest::dns::Resolve;
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;

use crate::error::{ClientError, ErrorKind};
use crate::retry::{OnRetry, RetryPolicy};
use crate::transport::{Call, NO_QUERY, Transport};
use crate::types::{Account, User};

/// Where the API is and who we are.
pub struct ClientOptions {
    /// The address of the API, `/client/v4` included.
    pub base: String,
    /// The API token.
    pub token: Secret<String>,
    /// How patiently calls are made again.
    pub retry: RetryPolicy,
    /// Told about every call that is made again.
    pub on_retry: Option<OnRetry>,
    /// Resolves the server's name, where the caller minds to whom it leads; no proxy is used then.
    pub resolver: Option<Arc<dyn Resolve>>,
}

impl ClientOptions {
    /// The usual patience, and nobody told.
    pub fn new(base: impl Into<String>, token: Secret<String>) -> Self {
        Self { base: base.into(), token, retry: RetryPolicy::default(), on_retry: None, resolver: None }
    }
}

/// What calls to an address have in common.
pub(crate) fn http_to(address: &Url) -> reqwest::ClientBuilder {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("offprint/", env!("CARGO_PKG_VERSION")))
        // A redirect would drop the body or the token: better to say where it leads.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10));
    if address.scheme() == "http" {
        // Reading the system's certificates takes longer than a whole deployment of nothing new.
        builder = builder.tls_certs_only([]);
    }
    if is_loopback(address) {
        builder = builder.no_proxy();
    }
    builder
}

/// An API, before an account is chosen.
#[derive(Clone)]
pub struct PagesApi {
    transport: Arc<Transport>,
    token: Arc<Secret<String>>,
}

/// An account at an API.
#[derive(Clone)]
pub struct PagesClient {
    api: PagesApi,
    account: AccountId,
}

impl PagesApi {
    /// Prepares the connection; nothing is sent yet.
    ///
    /// # Errors
    /// The address cannot be used, or the system's certificates cannot be read.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let refuse = |why: String| ClientError::local(ErrorKind::BadAddress, &options.base, why);
        let base = Url::parse(&options.base).map_err(|error| refuse(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(refuse("the API's address begins with http:// or https://".into()));
        }
        let mut builder = http_to(&base);
        if let Some(resolver) = options.resolver {
            builder = builder.no_proxy().dns_resolver(resolver);
        }
        let http =
            builder.build().map_err(|error| ClientError::transport(&options.base, &options.base, error))?;
        let (retry, on_retry) = (options.retry, options.on_retry);
        let transport = Arc::new(Transport { http, base, retry, on_retry, reached: false.into() });
        Ok(Self { transport, token: Arc::new(options.token) })
    }

    /// The accounts that the token may see.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn accounts(&self) -> Result<Vec<Account>, ClientError> {
        self.pages(&["accounts"], &[], 50).await
    }

    /// Who the token stands for.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn user(&self) -> Result<User, ClientError> {
        self.get(&["user"], NO_QUERY).await
    }

    /// Chooses an account.
    pub fn in_account(&self, account: AccountId) -> PagesClient {
        PagesClient { api: self.clone(), account }
    }

    async fn send<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ClientError> {
        self.transport.send(call, &self.token).await?.needed()
    }

    async fn send_blind(&self, call: &Call) -> Result<(), ClientError> {
        self.transport.send::<serde::de::IgnoredAny>(call, &self.token).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        self.send(&self.transport.call(Method::GET, path, query)?).await
    }

    /// Reads page after page until one is not full. `result_info` is not asked: not everyone sends it.
    async fn pages<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        per_page: usize,
    ) -> Result<Vec<T>, ClientError> {
        let mut all = Vec::new();
        for page in 1..=PAGES_MAX {
            let items: Vec<T> = self.page(path, query, page, per_page).await?;
            let full = items.len() >= per_page;
            all.extend(items);
            if !full {
                return Ok(all);
            }
        }
        let call = format!("GET /{}", path.join("/"));
        Err(ClientError::local(
            ErrorKind::Malformed,
            &call,
            format!("the list goes on after {PAGES_MAX} pages"),
        ))
    }

    async fn page<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        page: usize,
        per_page: usize,
    ) -> Result<Vec<T>, ClientError> {
        let (page, per_page) = (page.to_string(), per_page.to_string());
        let mut query = query.to_vec();
        query.extend([("page", page.as_str()), ("per_page", per_page.as_str())]);
        self.get(path, &query).await
    }
}

/// A server that ignores `page` would keep us for ever.
const PAGES_MAX: usize = 10_000;

impl PagesClient {
    /// The API, for calls outside the account.
    pub const fn api(&self) -> &PagesApi {
        &self.api
    }

    /// The account.
    pub const fn account(&self) -> &AccountId {
        &self.account
    }

    /// A path below the account.
    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["accounts", self.account.as_str()], rest].concat()
    }

    fn call(&self, method: Method, rest: &[&str]) -> Result<Call, ClientError> {
        self.api.transport.call(method, &self.path(rest), NO_QUERY)
    }
}

/// Whether the address names this machine: a proxy has no way there.
fn is_loopback(base: &Url) -> bool {
    base.host_str().is_some_and(|host| {
        let host = host.trim_matches(['[', ']']);
        host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}
