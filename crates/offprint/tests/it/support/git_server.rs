//! Bare repositories over smart HTTP: git's own `http-backend`, run as a CGI program for each request.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Larger than any pack a test sends.
const BODY_BYTES_MAX: usize = 64 << 20;

/// A server of bare repositories; it ends with the test.
pub(crate) struct GitServer {
    root: TempDir,
    address: SocketAddr,
    shared: Shared,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    root: PathBuf,
    /// The password that is asked for, by repository name.
    passwords: Arc<Mutex<Vec<(String, String)>>>,
    /// Method, path and whether a password was shown.
    seen: Arc<Mutex<Vec<String>>>,
    /// Whether requests for [`GitServer::gate`] are answered.
    gate: watch::Sender<bool>,
}

impl GitServer {
    /// A server without a repository.
    pub(crate) async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared {
            root: root.path().to_owned(),
            passwords: Arc::default(),
            seen: Arc::default(),
            gate: watch::Sender::new(false),
        };
        let router = Router::new().fallback(serve).with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let server = Self { root, address, shared, task };
        server.repository("gate").commit("so that there is something to see");
        server
    }

    /// Host and port, for the operator's allow-list.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// A command that a build waits in until the gate is opened. git is the one client of HTTP that is in every
    /// sandbox and uses its proxy.
    pub(crate) fn gate(&self) -> String {
        format!("git ls-remote http://{}/gate.git", self.address)
    }

    /// How many have come to the gate.
    pub(crate) fn at_gate(&self) -> usize {
        self.seen().iter().filter(|request| request.contains("/gate.git/")).count()
    }

    /// Waits until so many have come to the gate.
    pub(crate) async fn comes_to_gate(&self, count: usize) {
        for _ in 0..3000 {
            if self.at_gate() >= count {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{} and not {count} came to the gate", self.at_gate());
    }

    /// Lets everybody through, those who come later too.
    pub(crate) fn open_gate(&self) {
        self.shared.gate.send_replace(true);
    }

    /// A new repository with the branch `main` and no commit.
    pub(crate) fn repository(&self, name: &str) -> Repository {
        let bare = self.root.path().join(format!("{name}.git"));
        let work = self.root.path().join(format!("{name}.work"));
        std::fs::create_dir_all(&work).unwrap();
        run(
            self.root.path(),
            &["init", "--quiet", "--bare", "--initial-branch=main", bare.to_str().unwrap()],
        );
        // As the forges do: any commit may be asked for by its hash.
        run(&bare, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
        run(&work, &["init", "--quiet", "--initial-branch=main"]);
        run(&work, &["remote", "add", "origin", bare.to_str().unwrap()]);
        Repository { bare, work, url: format!("http://{}/{name}.git", self.address) }
    }

    /// Asks for this password from now on, whoever the user is.
    pub(crate) fn protect(&self, name: &str, password: &str) {
        self.shared.passwords.lock().unwrap().push((name.to_owned(), password.to_owned()));
    }

    /// The requests so far: method, path, and `authorized` where a password was shown.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One repository, with a work tree to commit from.
pub(crate) struct Repository {
    bare: PathBuf,
    work: PathBuf,
    /// Where it is cloned from.
    pub(crate) url: String,
}

impl Repository {
    /// The bare repository on the disk.
    pub(crate) fn bare(&self) -> &Path {
        &self.bare
    }

    /// Writes a file of the work tree.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.work.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Removes a file or a directory of the work tree.
    pub(crate) fn remove(&self, path: &str) -> &Self {
        let path = self.work.join(path);
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
        self
    }

    /// Commits everything and pushes it to the branch of the moment; the hash.
    pub(crate) fn commit(&self, message: &str) -> String {
        run(&self.work, &["add", "--all"]);
        run(&self.work, &["commit", "--quiet", "--allow-empty", "--message", message]);
        run(&self.work, &["push", "--quiet", "--force", "origin", "HEAD"]);
        self.head()
    }

    /// Goes to a branch, which is made where there is none.
    pub(crate) fn branch(&self, name: &str) -> &Self {
        run(&self.work, &["checkout", "--quiet", "-B", name]);
        self
    }

    /// Deletes a branch on the server.
    pub(crate) fn delete_branch(&self, name: &str) {
        run(&self.work, &["push", "--quiet", "origin", "--delete", name]);
    }

    /// The hash of the last commit.
    pub(crate) fn head(&self) -> String {
        run(&self.work, &["rev-parse", "HEAD"]).trim().to_owned()
    }
}

/// Runs git as nobody in particular, whatever the machine's own configuration says.
fn run(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(arguments).stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.com");
    }
    let output = command.output().expect("git starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "git {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

async fn serve(State(shared): State<Shared>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap();
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let authorization = header("authorization").to_owned();
    let note = if authorization.is_empty() { "" } else { " authorized" };
    shared.seen.lock().unwrap().push(format!("{} {path}{note}", parts.method));
    if !shared.admits(&path, &authorization) {
        let asked = Response::builder().status(401).header("www-authenticate", "Basic realm=\"git\"");
        return asked.body(Body::empty()).unwrap();
    }
    if path.starts_with("/gate.git/") {
        let _ = shared.gate.subscribe().wait_for(|open| *open).await;
    }
    let mut command = Command::new("git");
    command.arg("http-backend").stdin(Stdio::piped()).stdout(Stdio::piped());
    command.env("GIT_PROJECT_ROOT", &shared.root).env("GIT_HTTP_EXPORT_ALL", "1").env("PATH_INFO", &path);
    command.env("REQUEST_METHOD", parts.method.as_str()).env("REMOTE_ADDR", "127.0.0.1");
    command.env("QUERY_STRING", parts.uri.query().unwrap_or_default());
    command.env("CONTENT_TYPE", header("content-type")).env("CONTENT_LENGTH", body.len().to_string());
    command.env("HTTP_CONTENT_ENCODING", header("content-encoding"));
    command.env("GIT_PROTOCOL", header("git-protocol"));
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("git starts");
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(&body));
        let output = child.wait_with_output().unwrap();
        let _ = writer.join();
        output.stdout
    });
    cgi_answer(&output.await.unwrap())
}

impl Shared {
    fn admits(&self, path: &str, authorization: &str) -> bool {
        let passwords = self.passwords.lock().unwrap();
        let asked = passwords.iter().find(|(name, _)| path.starts_with(&format!("/{name}.git/")));
        let Some((_, password)) = asked else { return true };
        let given = authorization.strip_prefix("Basic ").unwrap_or_default();
        let given = base64_simd::STANDARD.decode_to_vec(given).unwrap_or_default();
        String::from_utf8_lossy(&given).split_once(':').is_some_and(|(_, given)| given == password)
    }
}

/// Reads what a CGI program wrote: header lines, an empty line, the body.
fn cgi_answer(output: &[u8]) -> Response<Body> {
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("git writes headers");
    let head = std::str::from_utf8(&output[..end]).unwrap();
    let mut response = Response::builder();
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        response = match name {
            "Status" => response.status(value.split(' ').next().unwrap().parse::<u16>().unwrap()),
            _ => response.header(name, value),
        };
    }
    response.body(Body::from(output[end + 4..].to_vec())).unwrap()
}
