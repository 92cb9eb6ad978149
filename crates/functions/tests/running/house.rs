//! A store, a runtime, and assets that say what they were asked.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use offprint_functions::{
    Assets, Bindings, Body, CheckFailure, Declined, DeploymentKey, FunctionLimits, FunctionRuntime, Tails,
    Visitor, Workerd, WorkerdOptions, empty, full,
};
use offprint_model::config::{EnvVarPatch, EnvironmentPatch, Patch};
use offprint_model::project::ProjectPatch;
use offprint_model::request_path::Scheme;
use offprint_model::secret::Secret;
use offprint_resources::Resources;
use offprint_sandbox::{Helper, Sandbox, SandboxOptions};
use offprint_store::{ProjectScope, ShortId, WorkerKind};

use crate::support::World;

/// Far longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a test works with.
pub(crate) struct House {
    pub(crate) world: World,
    pub(crate) runtime: Workerd,
    pub(crate) project: ProjectScope,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl House {
    /// With the usual limits, in walls.
    pub(crate) async fn new() -> Option<Self> {
        Self::with(|_| {}).await
    }

    /// With other limits.
    pub(crate) async fn with(change: impl FnOnce(&mut WorkerdOptions)) -> Option<Self> {
        let program = workerd()?;
        if !Sandbox::is_installed() {
            skip("bubblewrap is not installed");
            return None;
        }
        let world = World::new().await;
        let sandbox = Sandbox::with_walls(sandbox_options(world.dir.path())).await.unwrap();
        Some(Self::made(world, program, sandbox, change).await)
    }

    /// Without walls.
    pub(crate) async fn plain(change: impl FnOnce(&mut WorkerdOptions)) -> Option<Self> {
        let program = workerd()?;
        let world = World::new().await;
        let sandbox = Sandbox::plain(sandbox_options(world.dir.path())).unwrap();
        Some(Self::made(world, program, sandbox, change).await)
    }

    async fn made(
        world: World,
        program: PathBuf,
        sandbox: Sandbox,
        change: impl FnOnce(&mut WorkerdOptions),
    ) -> Self {
        let project = world.project("demo").await;
        let assets = Assets::default();
        assets.serve_with(std::sync::Arc::new(|key, request| Box::pin(asset(key, request))));
        let mut options = WorkerdOptions {
            program,
            directory: world.dir.path().join("functions"),
            sandbox,
            store: world.store.clone(),
            assets,
            bindings: Bindings::new(Resources::open(world.store.clone()).unwrap()),
            tails: Tails::default(),
            allow: Default::default(),
            limits: FunctionLimits::default(),
            url_of: std::sync::Arc::new(|project, id| format!("https://{}.{project}.example", id.short())),
            warning: None,
        };
        change(&mut options);
        let runtime = Workerd::start(options).await.unwrap();
        Self { world, runtime, project }
    }

    /// Makes a production deployment with this bundle.
    pub(crate) async fn deploy(&self, bundle: Bytes) -> DeploymentKey {
        self.deploy_to("main", bundle).await
    }

    /// Makes a deployment of a branch.
    pub(crate) async fn deploy_to(&self, branch: &str, bundle: Bytes) -> DeploymentKey {
        self.deploy_of(&self.project, branch, WorkerKind::Bundle, bundle).await
    }

    /// Makes a deployment.
    pub(crate) async fn deploy_of(
        &self,
        project: &ProjectScope,
        branch: &str,
        kind: WorkerKind,
        worker: Bytes,
    ) -> DeploymentKey {
        let mut new = self.world.upload(project, branch, &[("/index.html", "static")]).await.unwrap();
        new.worker = Some((kind, worker));
        let deployment = self.world.store.create_deployment(project, new).await.unwrap();
        self.world.run_jobs().await;
        let deployment_id = ShortId::parse(deployment.id.short()).unwrap();
        DeploymentKey { project: project.project_name().clone(), deployment: deployment_id }
    }

    /// Changes the settings of production.
    pub(crate) async fn configure(&self, production: EnvironmentPatch) {
        let patch = ProjectPatch { production, ..ProjectPatch::default() };
        self.world.store.update_project(&self.project, patch).await.unwrap();
    }

    /// Sends a request.
    pub(crate) async fn send(
        &self,
        key: &DeploymentKey,
        request: Request<Body>,
    ) -> Result<Response<Body>, Box<Declined>> {
        tokio::time::timeout(PATIENCE, self.runtime.answer(key.clone(), visitor(), request)).await.unwrap()
    }

    /// Sends a request and reads the whole answer, also one that is given in place of a Function's.
    pub(crate) async fn ask(&self, key: &DeploymentKey, request: Request<Body>) -> Answer {
        let response = self.send(key, request).await.unwrap_or_else(|declined| declined.response);
        read(response).await
    }

    /// Gets a path.
    pub(crate) async fn get(&self, key: &DeploymentKey, path: &str) -> Answer {
        self.ask(key, get(path)).await
    }

    /// Checks a deployment.
    pub(crate) async fn check(&self, key: &DeploymentKey) -> Result<Vec<String>, CheckFailure> {
        tokio::time::timeout(PATIENCE, self.runtime.check(key.clone())).await.unwrap()
    }

    /// The directory of running deployments.
    pub(crate) fn directory(&self) -> PathBuf {
        self.world.dir.path().join("functions")
    }
}

/// A variable, or a secret.
pub(crate) fn variable(name: &str, value: &str, secret: bool) -> EnvironmentPatch {
    let change = EnvVarPatch { secret: Some(secret), value: Some(Secret::new(value.to_owned())) };
    let changes = [(name.to_owned(), Some(change))].into_iter().collect();
    EnvironmentPatch { env_vars: Patch::Set(changes), ..EnvironmentPatch::default() }
}

pub(crate) fn get(path: &str) -> Request<Body> {
    request(path).body(empty()).unwrap()
}

pub(crate) fn request(path: &str) -> http::request::Builder {
    Request::get(path).header("host", "demo.example")
}

pub(crate) async fn read(response: Response<Body>) -> Answer {
    let (head, body) = response.into_parts();
    let body = tokio::time::timeout(PATIENCE, body.collect()).await.unwrap().unwrap().to_bytes();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        text: String::from_utf8_lossy(&body).into_owned(),
    }
}

pub(crate) fn visitor() -> Visitor {
    let address = Some("203.0.113.7".parse().unwrap());
    Visitor { address, scheme: Scheme::Https, tls: None, is_vouched_for: false }
}

/// The edge's part: says what was asked of whom.
async fn asset(key: DeploymentKey, request: Request<Body>) -> Response<Body> {
    let text = format!("{} {} of {}", request.method(), request.uri(), key.project);
    let mut response = Response::new(full(text));
    response.headers_mut().insert("x-asset", http::HeaderValue::from_static("yes"));
    response
}

fn sandbox_options(directory: &Path) -> SandboxOptions {
    SandboxOptions {
        helper: Helper { program: env!("CARGO_BIN_EXE_functions-sandbox-helper").into(), args: Vec::new() },
        scratch: directory.join("functions-scratch"),
        allow: Default::default(),
        tools: Vec::new(),
    }
}

/// Says that a test does not run; a failure in CI.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

/// The released workerd.
pub(crate) fn workerd() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(|| workerd_of("newest")).clone()
}

/// The workerd of one of the released wranglers.
pub(crate) fn workerd_of(peer: &str) -> Option<PathBuf> {
    let found = peers().and_then(|peers| workerd_in(&peers.join(peer).join("node_modules/@cloudflare")));
    if found.is_none() {
        skip("workerd is not installed; run scripts/setup-test-peers");
    }
    found
}

/// Where the released clients are installed.
pub(crate) fn peers() -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os("OFFPRINT_TEST_PEERS_DIR") {
        return Some(directory.into());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/setup-test-peers");
    let output = Command::new(script).arg("--where").output().ok()?;
    let directory = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| directory.trim().into())
}

fn workerd_in(packages: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(packages).ok()?.flatten();
    let mut programs = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("workerd-"))
        .map(|entry| entry.path().join("bin/workerd"));
    programs.find(|program| program.is_file())
}

/// Processes of this machine that belong to a directory and have these words in their command line.
pub(crate) fn processes_with(words: &str, directory: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
            let is_program = String::from_utf8_lossy(&line).split('\0').next() == Some("/workerd");
            is_program && String::from_utf8_lossy(&line).contains(words) && mounts.contains(directory)
        })
        .collect()
}
