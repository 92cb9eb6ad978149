//! A store to deploy to and an edge on it, with as few words as a test needs.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use offprint_edge::{Destination, Edge, EdgeBody, EdgeOptions, Outcome};
use offprint_functions::{FunctionRuntime, NoRuntime};
use offprint_model::asset::{AssetPath, BlobHash, KeyHasher, extension};
use offprint_model::config::{BuildConfig, Environment, EnvironmentPatch};
use offprint_model::content_type;
use offprint_model::deployment::{Commit, Deployment, Trigger};
use offprint_model::name::{BranchName, Hostname, ProjectName};
use offprint_model::project::DomainStatus;
use offprint_model::secret::Secret;
use offprint_model::stages::{StageEnd, StageName};
use offprint_store::blobs::{BlobStore, Directory, NewPack};
use offprint_store::{
    AccountScope, Clock, NewDeployment, NewProject, Permission, ProjectScope, Store, StoreOptions, Upload,
    Wake, WorkerKind,
};
use tempfile::TempDir;

use crate::cases::Answer;
use crate::ready;

/// A store in a directory of its own.
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) wake: Wake,
    blobs: Arc<Directory>,
    account: AccountScope,
    _data: TempDir,
}

/// What is deployed.
#[derive(Default)]
pub(crate) struct Content {
    pub(crate) assets: Vec<(String, Bytes)>,
    pub(crate) headers: Option<String>,
    pub(crate) redirects: Option<String>,
    pub(crate) routes: Option<String>,
    pub(crate) has_worker: bool,
}

impl Content {
    pub(crate) fn of(assets: &[(&str, &str)]) -> Self {
        let owned =
            |(path, text): &(&str, &str)| ((*path).to_owned(), Bytes::copy_from_slice(text.as_bytes()));
        Self { assets: assets.iter().map(owned).collect(), ..Self::default() }
    }

    /// Everything below a build output directory, as an upload takes it.
    pub(crate) fn of_directory(root: &Path, has_worker: bool) -> Self {
        let text = |name: &str| std::fs::read_to_string(root.join(name)).ok();
        let mut paths = Vec::new();
        find_assets(root, "", &mut paths);
        let read = |path: String| (path.clone(), std::fs::read(root.join(&path[1..])).unwrap().into());
        Self {
            assets: paths.into_iter().map(read).collect(),
            headers: text("_headers"),
            redirects: text("_redirects"),
            routes: text("_routes.json"),
            has_worker,
        }
    }
}

/// Every file below a directory, without the names that an upload leaves out.
fn find_assets(root: &Path, below: &str, paths: &mut Vec<String>) {
    let at_top = ["_worker.js", "_redirects", "_headers", "_routes.json", "functions", ".wrangler"];
    let anywhere = [".DS_Store", "node_modules", ".git"];
    for entry in std::fs::read_dir(root.join(below.trim_start_matches('/'))).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{below}/{name}");
        if anywhere.contains(&name.as_str()) || (below.is_empty() && at_top.contains(&name.as_str())) {
            continue;
        } else if entry.file_type().unwrap().is_dir() {
            find_assets(root, &path, paths);
        } else {
            paths.push(path);
        }
    }
}

impl House {
    pub(crate) async fn open() -> Self {
        let data = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Directory::open(data.path().join("blobs")).await.unwrap());
        let options = StoreOptions::new(data.path());
        let store = Store::open_with_blobs(options, blobs.clone()).await.unwrap();
        let secret = Secret::new("edge-tests-0123456789abcdef0123456789".to_owned());
        let bootstrap =
            store.bootstrap(None, Some(secret.clone()), "tests", "tests@example.com").await.unwrap();
        let principal = store.authenticate(&secret).await.unwrap().unwrap();
        let account = principal.scope(&bootstrap.account, Permission::Write).unwrap();
        Self { store, wake: Wake::default(), blobs, account, _data: data }
    }

    /// An edge for `pages.dev`.
    pub(crate) async fn edge(&self) -> Edge {
        self.edge_with(EdgeOptions::new("pages.dev")).await
    }

    /// One that answers as Cloudflare Pages does.
    pub(crate) async fn strict_edge(&self) -> Edge {
        self.edge_with(EdgeOptions { strict: true, ..EdgeOptions::new("pages.dev") }).await
    }

    /// One that believes `X-Forwarded-Proto`, as all of them do here.
    pub(crate) async fn edge_with(&self, options: EdgeOptions) -> Edge {
        let options = EdgeOptions { trust_proxy: true, ..options };
        let none = NoRuntime::new(self.store.clone(), "There is no runtime in this test.");
        self.edge_running(Arc::new(none), options).await
    }

    /// One with this runtime.
    pub(crate) async fn edge_running(
        &self,
        functions: Arc<dyn FunctionRuntime>,
        options: EdgeOptions,
    ) -> Edge {
        Edge::start(self.store.clone(), self.wake.clone(), functions, options).await.unwrap()
    }

    pub(crate) async fn project(&self, name: &str) -> ProjectScope {
        self.project_with(name, BuildConfig::default()).await
    }

    pub(crate) async fn project_with(&self, name: &str, build_config: BuildConfig) -> ProjectScope {
        let name = ProjectName::parse(name).unwrap();
        // Where its Worker does not run, a project says so.
        let closed = || EnvironmentPatch { fail_open: Some(false), ..EnvironmentPatch::default() };
        let project = NewProject {
            name: name.clone(),
            production_branch: BranchName::parse("main").unwrap(),
            build_config,
            production: closed(),
            preview: closed(),
            source: None,
        };
        self.store.create_project(&self.account, project).await.unwrap();
        self.store.project(&self.account, &name).await.unwrap().0
    }

    pub(crate) async fn add_domain(&self, project: &ProjectScope, host: &Hostname) {
        self.store.add_domain(project, host).await.unwrap();
        self.store.set_domain_status(project, host, DomainStatus::Active, None).await.unwrap();
    }

    /// Stores the compressed variants of some bytes, as the pipeline does in the background.
    pub(crate) async fn compress(&self, text: &str) {
        let blob = BlobHash::of(text.as_bytes());
        let pack = NewPack::of_blob(blob, text.as_bytes(), || false).unwrap().unwrap();
        self.blobs.put_packs(vec![pack]).await.unwrap();
    }

    /// Uploads and activates, as client and pipeline do together. The branch `main` is production.
    pub(crate) async fn deploy(&self, project: &ProjectScope, branch: &str, content: &Content) -> Deployment {
        let mut uploads = Vec::new();
        let mut assets = Vec::new();
        for (path, bytes) in &content.assets {
            let key_hasher = KeyHasher::of_bytes(bytes);
            let key = key_hasher.key(extension(path));
            assets.push((AssetPath::parse(path).unwrap(), key.clone()));
            let content_type = content_type::of_path(path).to_owned();
            uploads.push(Upload { key, bytes: bytes.clone(), content_type, key_hasher });
        }
        self.store.put_assets(&self.account, uploads).await.unwrap();
        let script = || (WorkerKind::Script, Bytes::from_static(b"export default {}"));
        let new = NewDeployment {
            environment: if branch == "main" { Environment::Production } else { Environment::Preview },
            branch: BranchName::parse(branch).unwrap(),
            commit: Commit::default(),
            trigger: Trigger::AdHoc,
            assets,
            headers: content.headers.clone(),
            redirects: content.redirects.clone(),
            routes: content.routes.clone(),
            worker: content.has_worker.then(script),
            functions_routing: None,
            configuration: None,
        };
        let deployment = self.store.create_deployment(project, new).await.unwrap();
        self.activate().await;
        deployment
    }

    async fn activate(&self) {
        let lease = self.store.claim_upload("tests", Duration::from_secs(60)).await.unwrap().expect("a job");
        let now = Clock::now();
        let mut stages = self.store.work(&lease).await.unwrap().deployment.stages;
        stages = stages.end(StageName::Queued, StageEnd::Success, now).unwrap();
        stages = stages.start(StageName::Deploy, now).unwrap();
        self.store.set_stages(&lease, stages).await.unwrap();
        let sealed = self.store.seal(&lease).await.unwrap();
        stages = stages.end(StageName::Deploy, StageEnd::Success, Clock::now()).unwrap();
        self.store.activate(sealed, &lease, stages).await.unwrap();
    }
}

/// Asks the edge as a listener does.
pub(crate) async fn serve<B>(edge: &Edge, request: &Request<B>) -> Response<EdgeBody> {
    match edge.destination(request) {
        Destination::Site(host) => match edge.serve(host, request).await {
            Outcome::Served(served) => served.response,
            Outcome::Worker(turn) => {
                let (here, request) = (IpAddr::from([127, 0, 0, 1]), without_body(request));
                edge.run_worker(turn, here, None, request).await.response
            }
        },
        Destination::Platform => panic!("not for a site: {:?}", request.headers().get("host")),
        Destination::BadHost => panic!("not a host: {:?}", request.headers().get("host")),
    }
}

fn without_body<B>(request: &Request<B>) -> Request<offprint_functions::Body> {
    let mut asked = Request::new(offprint_functions::empty());
    asked.method_mut().clone_from(request.method());
    asked.uri_mut().clone_from(request.uri());
    asked.headers_mut().clone_from(request.headers());
    asked
}

/// Asks the edge and collects the answer. Where the same answer stands ready, it must be the same.
pub(crate) async fn ask(edge: &Edge, request: Request<()>) -> Answer {
    let (parts, body) = serve(edge, &request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body };
    ready::is_ready(edge, &request, &answer);
    answer
}

/// `GET` with a host and a path.
pub(crate) async fn get(edge: &Edge, host: &str, path: &str) -> Answer {
    ask(edge, Request::get(path).header("host", host).body(()).unwrap()).await
}
