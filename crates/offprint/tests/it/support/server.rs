//! The real binary on a free port, with a data directory of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use reqwest::{Client, Response};
use tempfile::TempDir;

use super::api::{Api, Credentials};
use super::site::{EDGE_PAUSE, EDGE_TRIES};
use super::{Deploys, Peers, Recorder, Violations};

/// The account that the server is started with; also the one in the captured samples.
pub(crate) const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
/// A token with every right on [`ACCOUNT`].
pub(crate) const TOKEN: &str = "offprint-test-token-0123456789abcdef0123";

/// How long the server may take until it listens; generous, for a loaded machine.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A running server. Dropping it kills the process and fails the test when an answer broke the published
/// description or a request panicked.
pub(crate) struct TestServer {
    child: Child,
    scheme: String,
    address: SocketAddr,
    http: Client,
    violations: Violations,
    settings: Vec<(String, String)>,
    directory: Option<TempDir>,
}

impl TestServer {
    /// A server with defaults and nothing stored.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server with further `OFFPRINT_*` settings.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let directory = tempfile::tempdir().unwrap();
        Self::spawn(directory, settings, Violations::default())
    }

    /// A server that runs Functions, or `None` where workerd is not installed.
    pub(crate) async fn with_functions(settings: &[(&str, &str)]) -> Option<Self> {
        let workerd = Peers::find()?.workerd().to_str().unwrap().to_owned();
        let functions = [("OFFPRINT_FUNCTIONS", "workerd"), ("OFFPRINT_WORKERD", &workerd)];
        Some(Self::start_with(&[&functions, settings].concat()).await)
    }

    /// The id of the server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the server without warning and starts another on the same data.
    pub(crate) fn crash_and_restart(mut self) -> Self {
        self.kill();
        let directory = self.directory.take().unwrap();
        Self::spawn(directory, self.settings.clone(), self.violations.clone())
    }

    /// Stops the server without warning and starts another on the same data, with these settings more.
    pub(crate) fn restart_with(mut self, settings: &[(&str, &str)]) -> Self {
        self.settings.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        self.crash_and_restart()
    }

    /// Another server on the same data, while this one runs. What it logs is in this one's log.
    pub(crate) fn beside(&self) -> Self {
        let directory = self.directory.as_ref().unwrap().path();
        Self::spawn_in(directory, self.settings.clone(), self.violations.clone())
    }

    fn spawn(directory: TempDir, settings: Vec<(String, String)>, violations: Violations) -> Self {
        let mut server = Self::spawn_in(directory.path(), settings, violations);
        server.directory = Some(directory);
        server
    }

    fn spawn_in(directory: &Path, settings: Vec<(String, String)>, violations: Violations) -> Self {
        let log = File::options().create(true).append(true).open(log_path(directory)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_offprint"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(directory.join("data"))
            .current_dir(directory)
            .env("OFFPRINT_ACCOUNT_ID", ACCOUNT)
            .env("OFFPRINT_BOOTSTRAP_TOKEN", TOKEN)
            .env("OFFPRINT_DOMAIN", "pages.localhost")
            // Whether there is a workerd on this machine shall make no difference.
            .env("OFFPRINT_FUNCTIONS", "off")
            .envs(settings.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the server binary starts");
        let Some((scheme, address)) = listening(&mut child) else {
            let _ = child.kill();
            panic!("the server does not listen:\n{}", read_log(directory));
        };
        // A site must not follow its own redirects here: they are what is tested. Sites are asked for by the
        // Host header, which counts for nothing in HTTP/2.
        let http = client().redirect(reqwest::redirect::Policy::none()).http1_only().build().unwrap();
        Self { child, scheme, address, http, violations, settings, directory: None }
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Scheme and address.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The base URL of the Pages API, as clients are told it.
    pub(crate) fn base_url(&self) -> String {
        format!("{}/client/v4", self.origin())
    }

    /// An actor with every right on the account.
    pub(crate) fn api(&self) -> Api {
        self.actor(Credentials::Bearer(TOKEN.into()))
    }

    /// An actor without credentials.
    pub(crate) fn anon(&self) -> Api {
        self.actor(Credentials::None)
    }

    /// An actor with a token of the test's choice: an API token or an upload token.
    pub(crate) fn bearer(&self, token: &str) -> Api {
        self.actor(Credentials::Bearer(token.into()))
    }

    /// An actor who sends `X-Auth-Email` and `X-Auth-Key`.
    pub(crate) fn email_and_key(&self, email: &str, key: &str) -> Api {
        self.actor(Credentials::EmailKey(email.into(), key.into()))
    }

    /// An actor of the Deploys API with every right on the account.
    pub(crate) async fn deploys(&self) -> Deploys {
        Deploys::new(self.origin(), self.http.clone(), TOKEN, self.violations.clone()).await
    }

    fn actor(&self, credentials: Credentials) -> Api {
        Api::new(self.base_url(), self.http.clone(), credentials, self.violations.clone())
    }

    /// A relay in front of the API that notes every call and checks every answer.
    pub(crate) async fn recorder(&self) -> Recorder {
        Recorder::start(self.address, self.http.clone(), self.violations.clone()).await
    }

    /// GET from a site, the host as a browser would send it.
    pub(crate) async fn site(&self, host: &str, path: &str) -> Response {
        self.try_site(host, path).await.expect("the site answers")
    }

    /// GET from a site; the error when no answer came.
    pub(crate) async fn try_site(&self, host: &str, path: &str) -> reqwest::Result<Response> {
        let url = format!("{}{path}", self.origin());
        self.http.get(url).header("host", host).send().await
    }

    /// GET from the site that a deployment's `url` or an alias names.
    pub(crate) async fn site_at(&self, url: &str, path: &str) -> Response {
        self.site(host_of(url), path).await
    }

    /// The body of a GET that must answer 200; a deployment is seen some milliseconds after it has succeeded.
    pub(crate) async fn page(&self, host: &str, path: &str) -> String {
        let mut response = self.site(host, path).await;
        for _ in 0..EDGE_TRIES {
            if response.status() != 404 {
                break;
            }
            tokio::time::sleep(EDGE_PAUSE).await;
            response = self.site(host, path).await;
        }
        assert_eq!(response.status(), 200, "GET {host}{path}");
        response.text().await.unwrap()
    }

    /// Waits until the front page of a host is this text.
    pub(crate) async fn shows(&self, host: &str, text: &str) {
        let mut seen = String::new();
        for _ in 0..EDGE_TRIES {
            seen = self.site(host, "/").await.text().await.unwrap();
            if seen == text {
                return;
            }
            tokio::time::sleep(EDGE_PAUSE).await;
        }
        panic!("{host} shows {seen:?} and not {text:?}");
    }

    /// Waits until a site's front page answers with this status.
    pub(crate) async fn answers(&self, host: &str, status: u16) {
        for _ in 0..EDGE_TRIES {
            if self.site(host, "/").await.status() == status {
                return;
            }
            tokio::time::sleep(EDGE_PAUSE).await;
        }
        panic!("{host} does not come to answer {status}");
    }

    /// Every file below the data directory, in case a test wants to see that nothing was left.
    pub(crate) fn stored_bytes(&self) -> u64 {
        fn size(directory: &Path) -> u64 {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            entries
                .map(
                    |e| if e.path().is_dir() { size(&e.path()) } else { e.metadata().map_or(0, |m| m.len()) },
                )
                .sum()
        }
        size(&self.data().join("blobs"))
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.as_ref().unwrap().path().join("data")
    }

    /// The most memory the process has held so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// What the server has logged.
    pub(crate) fn log(&self) -> String {
        read_log(self.directory.as_ref().unwrap().path())
    }

    /// Asks the server to stop, as an operator or a supervisor does.
    pub(crate) fn ask_to_stop(&self) {
        self.signal("TERM");
    }

    /// Sends the signal of this name.
    pub(crate) fn signal(&self, name: &str) {
        let killed = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(killed.unwrap().success());
    }

    /// Waits for the end of a server that was asked to stop; whether it ended well.
    pub(crate) async fn stopped(&mut self) -> bool {
        for _ in 0..600 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server does not stop");
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.kill();
        if self.directory.is_none() {
            return;
        }
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("--- the server's log ---\n{}", tail(&log, 60));
            eprintln!("--- answers that break the API's description ---\n{}", self.violations.report());
            return;
        }
        assert!(!log.contains("panicked at"), "the server panicked:\n{}", tail(&log, 60));
        assert_eq!(self.violations.report(), "", "answers break the API's description");
    }
}

/// The host, with the port, of a site's URL.
pub(crate) fn host_of(url: &str) -> &str {
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    host.unwrap_or_else(|| panic!("{url} is not an http URL"))
}

/// A client about to be built, that trusts the authority which signed the certificates of the tests.
pub(crate) fn client() -> reqwest::ClientBuilder {
    let authority = fs::read(fixture("tls/ca.pem")).unwrap();
    Client::builder().tls_certs_only([reqwest::Certificate::from_pem(&authority).unwrap()])
}

/// A path below the `fixtures` of these tests.
pub(crate) fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

/// Waits for the line that names scheme and address, and goes on emptying the pipe behind it.
fn listening(child: &mut Child) -> Option<(String, SocketAddr)> {
    let stdout = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some((scheme, address)) =
                line.strip_prefix("listening on ").and_then(|origin| origin.split_once("://"))
            {
                let _ = sender.send((scheme.to_owned(), address.parse().unwrap()));
            }
        }
    });
    receiver.recv_timeout(START_TIMEOUT).ok()
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("server.log")
}

fn read_log(directory: &Path) -> String {
    let bytes = fs::read(log_path(directory)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
