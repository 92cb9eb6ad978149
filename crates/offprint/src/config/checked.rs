//! The settings after checking: what the server believes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use offprint_api::DomainCheck;
use offprint_model::id::AccountId;
use offprint_model::name::Hostname;
use offprint_model::secret::Secret;
use offprint_store::PostgresUrl;
use tracing_subscriber::EnvFilter;

pub(crate) use super::builds::{BuildSettings, BuilderChoice};
pub(crate) use super::functions::{FunctionSettings, Isolation, RuntimeChoice};
use super::raw::ServeFlags;

/// Everything the server needs to know before it starts.
pub(crate) struct ServeConfig {
    /// See [`ServeFlags::data`].
    pub(crate) data: PathBuf,
    /// `None`: the metadata is in the data directory.
    pub(crate) database: Option<PostgresUrl>,
    /// See [`ServeFlags::listen`].
    pub(crate) listen: SocketAddr,
    /// Lower case, without a leading dot.
    pub(crate) domain: String,
    /// `None`: derived from the address that was bound.
    pub(crate) public_url: Option<PublicUrl>,
    /// `None`: plain HTTP.
    pub(crate) tls: Option<TlsFiles>,
    /// See [`ServeFlags::strict`].
    pub(crate) strict: bool,
    /// Zero: none.
    pub(crate) skew_protection: Duration,
    /// See [`ServeFlags::file_bytes_max`].
    pub(crate) file_bytes_max: usize,
    /// See [`ServeFlags::files_max`].
    pub(crate) files_max: usize,
    /// `None` sets no limit.
    pub(crate) project_delete_deployments_max: Option<u64>,
    /// See [`ServeFlags::admit_foreign_keys`].
    pub(crate) admit_foreign_keys: bool,
    /// See [`ServeFlags::domain_check`].
    pub(crate) domain_check: DomainCheck,
    /// See [`ServeFlags::trust_proxy`].
    pub(crate) trust_proxy: bool,
    /// See [`ServeFlags::blob_grace`].
    pub(crate) blob_grace: Duration,
    /// `None`: the server never collects.
    pub(crate) gc_interval: Option<Duration>,
    /// See [`ServeFlags::cache_bytes`].
    pub(crate) cache_bytes: u64,
    /// See [`ServeFlags::shutdown_grace`].
    pub(crate) shutdown_grace: Duration,
    /// See [`ServeFlags::account_id`].
    pub(crate) account_id: Option<AccountId>,
    /// See [`ServeFlags::bootstrap_token`].
    pub(crate) bootstrap_token: Option<Secret<String>>,
    /// See [`ServeFlags::log`].
    pub(crate) log: String,
    /// See [`ServeFlags::log_format`].
    pub(crate) log_format: LogFormat,
    /// `None`: requests are not logged.
    pub(crate) access_log: Option<AccessLogConfig>,
    /// How repositories are built.
    pub(crate) builds: BuildSettings,
    /// How Functions run.
    pub(crate) functions: FunctionSettings,
}

/// Where certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// See [`ServeFlags::tls_cert`].
    pub(crate) cert: PathBuf,
    /// See [`ServeFlags::tls_key`].
    pub(crate) key: PathBuf,
}

/// What becomes of the lines about requests.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AccessLogConfig {
    /// `None`: standard output.
    pub(crate) file: Option<PathBuf>,
    /// Above 0 and at most 1.
    pub(crate) sample: f64,
}

/// The limits of Cloudflare Pages (Pages API, "Limits"), and ours.
const FILE_BYTES_MAX_STRICT: usize = 25 * 1024 * 1024;
const FILE_BYTES_MAX: usize = 100 * 1024 * 1024;
const FILES_MAX_STRICT: usize = 20_000;
const FILES_MAX: usize = 100_000;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The server as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicUrl {
    /// `http` or `https`.
    pub(crate) scheme: String,
    /// Host name or address, as in a URL.
    pub(crate) host: String,
    /// The port, unless it is the scheme's own.
    pub(crate) port: Option<u16>,
}

impl PublicUrl {
    /// The URL of a server that is reached where it listens.
    pub(crate) fn of_listener(address: SocketAddr, tls: bool) -> Self {
        let host = match address {
            // Nobody can connect to "any address"; on this machine loopback leads to it.
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => "127.0.0.1".to_owned(),
            SocketAddr::V4(v4) => v4.ip().to_string(),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => "[::1]".to_owned(),
            SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
        };
        let (scheme, default_port) = if tls { ("https", 443) } else { ("http", 80) };
        Self { scheme: scheme.into(), host, port: Some(address.port()).filter(|port| *port != default_port) }
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let uri: http::Uri = text.parse().context("it is not a URL")?;
        let scheme = uri.scheme_str().context("it lacks http:// or https://")?.to_owned();
        let default_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => bail!("its scheme is neither http nor https"),
        };
        ensure!(matches!(uri.path(), "" | "/") && uri.query().is_none(), "it has a path or a query");
        let host = uri.host().context("it lacks a host")?.to_ascii_lowercase();
        Ok(Self { scheme, host, port: uri.port_u16().filter(|port| *port != default_port) })
    }
}

impl std::fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl ServeConfig {
    /// Checks what was typed and fills in the defaults.
    ///
    /// # Errors
    /// The first setting that breaks its rule, by its name.
    pub(crate) fn check(flags: ServeFlags) -> anyhow::Result<Self> {
        let builds = BuildSettings::check(&flags)?;
        let functions = FunctionSettings::check(&flags)?;
        let listen = flags.listen.unwrap_or_else(|| "127.0.0.1:8788".into());
        let domain = flags.domain.unwrap_or_else(|| "pages.localhost".into());
        let seconds = |value: Option<u64>, default| Duration::from_secs(value.unwrap_or(default));
        let strict = flags.strict.unwrap_or(false);
        let (file_bytes_max, files_max) =
            if strict { (FILE_BYTES_MAX_STRICT, FILES_MAX_STRICT) } else { (FILE_BYTES_MAX, FILES_MAX) };
        Ok(Self {
            builds,
            functions,
            data: flags.data.unwrap_or_else(|| ".offprint".into()),
            database: flags.database.map(|url| checked_database(&url)).transpose()?,
            listen: listen.parse().with_context(|| {
                format!("listen: '{listen}' is not an address and a port, such as 127.0.0.1:8788")
            })?,
            domain: checked_domain(&domain)?,
            public_url: flags
                .public_url
                .map(|url| PublicUrl::parse(&url).with_context(|| format!("public-url: '{url}'")))
                .transpose()?,
            tls: checked_tls(flags.tls_cert, flags.tls_key)?,
            strict,
            skew_protection: seconds(flags.skew_protection, 7 * 24 * 3600),
            file_bytes_max: positive("file-bytes-max", flags.file_bytes_max, file_bytes_max)?,
            files_max: positive("files-max", flags.files_max, files_max)?,
            project_delete_deployments_max: Some(flags.project_delete_deployments_max.unwrap_or(100))
                .filter(|most| *most > 0),
            admit_foreign_keys: flags.admit_foreign_keys.unwrap_or(false),
            domain_check: match flags.domain_check.as_deref() {
                None | Some("resolve") => DomainCheck::Resolve,
                Some("operator") => DomainCheck::Operator,
                Some(other) => bail!("domain-check: '{other}' is neither resolve nor operator"),
            },
            trust_proxy: flags.trust_proxy.unwrap_or(false),
            blob_grace: seconds(flags.blob_grace, 3600),
            gc_interval: Some(seconds(flags.gc_interval, 3600)).filter(|interval| !interval.is_zero()),
            cache_bytes: flags.cache_bytes.unwrap_or(256 * 1024 * 1024),
            shutdown_grace: seconds(flags.shutdown_grace, 30),
            account_id: flags.account_id.map(checked_account).transpose()?,
            bootstrap_token: flags.bootstrap_token.map(checked_token).transpose()?,
            log: checked_filter(flags.log)?,
            log_format: match flags.log_format.as_deref() {
                None | Some("text") => LogFormat::Text,
                Some("json") => LogFormat::Json,
                Some(other) => bail!("log-format: '{other}' is neither text nor json"),
            },
            access_log: checked_access_log(flags.access_log, flags.access_log_sample)?,
        })
    }
}

/// The text may hold a password, so it is not repeated.
fn checked_database(url: &str) -> anyhow::Result<PostgresUrl> {
    PostgresUrl::parse(url).map_err(|why| anyhow!("database: {why}"))
}

fn checked_domain(domain: &str) -> anyhow::Result<String> {
    let domain = domain.trim_start_matches('.').to_ascii_lowercase();
    // One label is enough here (`localhost`), while a custom domain has two.
    Hostname::parse(&format!("x.{domain}"))
        .map(|_| domain.clone())
        .with_context(|| format!("domain: '{domain}'"))
}

fn checked_tls(cert: Option<PathBuf>, key: Option<PathBuf>) -> anyhow::Result<Option<TlsFiles>> {
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key })),
        (Some(_), None) => bail!("tls-key: it is missing, and the certificate of tls-cert needs its key"),
        (None, Some(_)) => bail!("tls-cert: it is missing, and the key of tls-key needs its certificate"),
        (None, None) => Ok(None),
    }
}

fn checked_access_log(log: Option<PathBuf>, sample: Option<f64>) -> anyhow::Result<Option<AccessLogConfig>> {
    let sample = sample.unwrap_or(1.0);
    ensure!(sample > 0.0 && sample <= 1.0, "access-log-sample: {sample} is not above 0 and at most 1");
    let config =
        |log: PathBuf| AccessLogConfig { file: Some(log).filter(|log| log.as_os_str() != "-"), sample };
    Ok(log.map(config))
}

fn checked_account(id: String) -> anyhow::Result<AccountId> {
    let hex = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    ensure!(hex, "account-id: '{id}' is not 32 lower-case hex digits");
    Ok(AccountId::new(id))
}

fn checked_token(token: String) -> anyhow::Result<Secret<String>> {
    // Too short to be guessed is the operator's business; what cannot be sent in a header is ours.
    let sendable = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    ensure!(sendable, "bootstrap-token: it must be visible ASCII characters without blanks");
    Ok(Secret::new(token))
}

fn checked_filter(filter: Option<String>) -> anyhow::Result<String> {
    let filter = filter.unwrap_or_else(|| "info".into());
    let parsed = EnvFilter::try_new(&filter);
    parsed.map(|_| filter.clone()).with_context(|| format!("log: '{filter}' is not a filter such as info"))
}

fn positive(name: &str, value: Option<usize>, default: usize) -> anyhow::Result<usize> {
    ensure!(value != Some(0), "{name}: 0 would refuse everything");
    Ok(value.unwrap_or(default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let config = ServeConfig::check(ServeFlags::default()).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8788");
        assert_eq!(config.domain, "pages.localhost");
        assert_eq!(PublicUrl::of_listener(config.listen, false).to_string(), "http://127.0.0.1:8788");
        assert_eq!((config.file_bytes_max, config.files_max), (104_857_600, 100_000));
        assert_eq!(config.skew_protection.as_secs(), 7 * 86_400);
        assert!(config.tls.is_none() && config.access_log.is_none());
    }

    #[test]
    fn strict_has_the_limits_of_pages_unless_others_are_typed() {
        let limits = |flags: ServeFlags| {
            let config = ServeConfig::check(ServeFlags { strict: Some(true), ..flags }).unwrap();
            (config.file_bytes_max, config.files_max)
        };
        assert_eq!(limits(ServeFlags::default()), (26_214_400, 20_000));
        let typed = ServeFlags { file_bytes_max: Some(7), files_max: Some(8), ..Default::default() };
        assert_eq!(limits(typed), (7, 8));
    }

    #[test]
    fn the_access_log_is_a_file_or_standard_output() {
        let log = |path: &str| {
            let flags = ServeFlags { access_log: Some(path.into()), ..Default::default() };
            ServeConfig::check(flags).unwrap().access_log.unwrap()
        };
        assert_eq!(log("-"), AccessLogConfig { file: None, sample: 1.0 });
        assert_eq!(log("./-"), AccessLogConfig { file: Some("./-".into()), sample: 1.0 });
    }

    #[test]
    fn an_error_names_the_setting() {
        for (flags, name) in [
            (ServeFlags { database: Some("offprint.db".into()), ..Default::default() }, "database:"),
            (ServeFlags { listen: Some("8788".into()), ..Default::default() }, "listen:"),
            (ServeFlags { domain: Some("a..b".into()), ..Default::default() }, "domain:"),
            (ServeFlags { public_url: Some("ftp://x".into()), ..Default::default() }, "public-url:"),
            (ServeFlags { account_id: Some("x".into()), ..Default::default() }, "account-id:"),
            (ServeFlags { domain_check: Some("dns".into()), ..Default::default() }, "domain-check:"),
            (ServeFlags { files_max: Some(0), ..Default::default() }, "files-max:"),
            (ServeFlags { log_format: Some("xml".into()), ..Default::default() }, "log-format:"),
            (ServeFlags { tls_cert: Some("a".into()), ..Default::default() }, "tls-key:"),
            (ServeFlags { tls_key: Some("a".into()), ..Default::default() }, "tls-cert:"),
            (ServeFlags { access_log_sample: Some(0.0), ..Default::default() }, "access-log-sample:"),
            (ServeFlags { access_log_sample: Some(1.1), ..Default::default() }, "access-log-sample:"),
            (ServeFlags { builder: Some("docker".into()), ..Default::default() }, "builder:"),
            (ServeFlags { build_memory: Some(0), ..Default::default() }, "build-memory:"),
            (ServeFlags { build_allow: Some("10.0.0.0/40".into()), ..Default::default() }, "build-allow:"),
            (ServeFlags { build_tools: Some(vec!["/nowhere".into()]), ..Default::default() }, "build-tools:"),
            (ServeFlags { local_repositories: Some("/nowhere".into()), ..Default::default() }, "local-rep"),
            (ServeFlags { functions: Some("deno".into()), ..Default::default() }, "functions:"),
            (ServeFlags { workerd: Some("/nowhere".into()), ..Default::default() }, "workerd:"),
            (
                ServeFlags { functions_isolation: Some("vm".into()), ..Default::default() },
                "functions-isolation:",
            ),
            (ServeFlags { functions_memory: Some(0), ..Default::default() }, "functions-memory:"),
            (
                ServeFlags { functions_allow: Some("10.0.0.0/40".into()), ..Default::default() },
                "functions-allow:",
            ),
            (ServeFlags { access_log_sample: Some(f64::NAN), ..Default::default() }, "access-log-sample:"),
        ] {
            let error = ServeConfig::check(flags).err().expect(name);
            assert!(error.to_string().starts_with(name), "{error}");
        }
    }

    #[test]
    fn a_default_port_is_not_written() {
        assert_eq!(
            PublicUrl::parse("https://Pages.Example:443/").unwrap().to_string(),
            "https://pages.example"
        );
        assert_eq!(PublicUrl::parse("http://[::1]:81").unwrap().to_string(), "http://[::1]:81");
        for (address, tls, url) in [
            ("127.0.0.1:80", false, "http://127.0.0.1"),
            ("127.0.0.1:443", true, "https://127.0.0.1"),
            ("0.0.0.0:80", true, "https://127.0.0.1:80"),
        ] {
            assert_eq!(PublicUrl::of_listener(address.parse().unwrap(), tls).to_string(), url);
        }
    }
}
