//! A real store in a temporary directory, and short ways to say what a test does with it.

#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod cluster;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use offprint_model::asset::{AssetKey, AssetPath, BlobHash, KeyHasher};
use offprint_model::config::Environment;
use offprint_model::content_type;
use offprint_model::deployment::{Commit, Deployment, LogLine, Trigger};
use offprint_model::id::{AccountId, DeploymentId};
use offprint_model::name::{BranchName, ProjectName};
use offprint_model::project::Project;
use offprint_model::secret::Secret;
use offprint_model::source::{CloneUrl, Source, SourceKind};
use offprint_model::stages::{StageEnd, StageName, StageStatus, Stages};
use offprint_store::blobs::NewPack;
use offprint_store::invariants::check_invariants;
use offprint_store::{
    AccountScope, Claim, Clock, Lease, NewBuild, NewContent, NewDeployment, NewProject, Permission,
    PostgresUrl, ProjectScope, Result, Store, StoreError, StoreOptions, Upload,
};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

pub(crate) const TTL: Duration = Duration::from_secs(60);

/// The variable with the URL of a PostgreSQL server, where the tests are to run on one: each makes a database there.
pub(crate) const DATABASE_SERVER: &str = "OFFPRINT_TEST_POSTGRES";

/// A store with one account.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) database: Option<PostgresUrl>,
    pub(crate) store: Store,
    pub(crate) account: AccountScope,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut StoreOptions)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = options_in(dir.path()).await;
        change(&mut options);
        let database = options.database.clone();
        let store = Store::open(options).await.unwrap();
        let account = scope_of(&store, "0123456789abcdef0123456789abcdef", "secret").await.unwrap();
        Self { dir, database, store, account }
    }

    pub(crate) async fn reopen(self) -> Self {
        let options = self.options();
        let Self { dir, database, store, account: _ } = self;
        drop(store);
        let store = Store::open(options).await.unwrap();
        let account = scope_of(&store, "0123456789abcdef0123456789abcdef", "secret").await.unwrap();
        Self { dir, database, store, account }
    }

    /// What opens the store once more.
    pub(crate) fn options(&self) -> StoreOptions {
        StoreOptions { database: self.database.clone(), ..StoreOptions::new(self.dir.path()) }
    }

    /// The metadata, past the store.
    pub(crate) async fn metadata(&self) -> DatabaseConnection {
        let url = match &self.database {
            Some(url) => url.to_string(),
            None => format!("sqlite://{}", self.dir.path().join("offprint.db").display()),
        };
        Database::connect(url).await.unwrap()
    }

    pub(crate) async fn project(&self, name: &str) -> ProjectScope {
        self.store.create_project(&self.account, new_project(name)).await.unwrap();
        self.lookup(name).await.0
    }

    pub(crate) async fn lookup(&self, name: &str) -> (ProjectScope, Project) {
        self.store.project(&self.account, &ProjectName::parse(name).unwrap()).await.unwrap()
    }

    /// Uploads the files and makes a deployment, which waits for its job.
    pub(crate) async fn create(
        &self,
        project: &ProjectScope,
        branch: &str,
        files: &[(&str, &str)],
    ) -> Deployment {
        let new = self.upload(project, branch, files).await.unwrap();
        self.store.create_deployment(project, new).await.unwrap()
    }

    pub(crate) async fn upload(
        &self,
        project: &ProjectScope,
        branch: &str,
        files: &[(&str, &str)],
    ) -> Result<NewDeployment> {
        let uploads = files.iter().map(|(path, text)| upload(path, text.as_bytes())).collect();
        self.store.put_assets(&self.account, uploads).await?;
        Ok(new_deployment(project, branch, files))
    }

    /// Makes a deployment and takes it to its end.
    pub(crate) async fn deploy(
        &self,
        project: &ProjectScope,
        branch: &str,
        files: &[(&str, &str)],
    ) -> Deployment {
        let deployment = self.create(project, branch, files).await;
        self.run_jobs().await;
        self.store.deployment(project, &deployment.id).await.unwrap()
    }

    /// Takes all waiting jobs to their end.
    pub(crate) async fn run_jobs(&self) {
        while let Some(lease) = self.store.claim_upload("test", TTL).await.unwrap() {
            run(&self.store, &lease).await.unwrap();
        }
    }

    /// Claims jobs until the one for this deployment; the others stay leased.
    pub(crate) async fn claim(&self, id: &DeploymentId) -> Lease {
        loop {
            let lease = self.store.claim_upload("test", TTL).await.unwrap().expect("the job is there");
            if lease.deployment_id() == id {
                return lease;
            }
        }
    }

    /// A project that is built from a repository.
    pub(crate) async fn git_project(&self, name: &str) -> ProjectScope {
        let new = NewProject { source: Some(source()), ..new_project(name) };
        self.store.create_project(&self.account, new).await.unwrap();
        self.lookup(name).await.0
    }

    /// A push to a branch, whose build then waits.
    pub(crate) async fn push(&self, project: &ProjectScope, branch: &str, commit: &str) -> Deployment {
        self.store.create_build(project, new_build(branch, commit), None).await.unwrap()
    }

    /// Claims the next build.
    pub(crate) async fn claim_build(&self) -> Option<Lease> {
        self.store.claim_build("builder", TTL, None).await.unwrap().and_then(Claim::deployment)
    }

    /// What the pipeline does with a build that leaves these files.
    pub(crate) async fn build(&self, lease: &Lease, files: &[(&str, &str)]) -> Result<()> {
        let stages = built(self.store.work(lease).await?.deployment.stages);
        self.store.set_stages(lease, stages).await?;
        self.store.attach_content(lease, self.content(files).await).await?;
        let stages = stages.start(StageName::Deploy, Clock::now()).unwrap();
        self.store.set_stages(lease, stages).await?;
        let sealed = self.store.seal(lease).await?;
        self.store.activate(sealed, lease, succeeded(stages)).await
    }

    /// Stores the files, as a build's worker does.
    pub(crate) async fn content(&self, files: &[(&str, &str)]) -> NewContent {
        let uploads = files.iter().map(|(path, text)| upload(path, text.as_bytes())).collect();
        self.store.put_assets(&self.account, uploads).await.unwrap();
        let asset =
            |(path, text): &(&str, &str)| (AssetPath::parse(path).unwrap(), key_of(path, text.as_bytes()));
        NewContent { assets: files.iter().map(asset).collect(), ..NewContent::default() }
    }

    pub(crate) async fn live(&self, project: &ProjectScope) -> Option<DeploymentId> {
        self.lookup(project.project_name().as_str()).await.1.canonical
    }

    pub(crate) async fn assert_sound(&self) {
        assert_eq!(check_invariants(&self.store).await.unwrap(), Vec::<String>::new());
    }
}

/// What opens a store in a directory: with SQLite, or with a new database of the server that the tests run on.
pub(crate) async fn options_in(dir: &std::path::Path) -> StoreOptions {
    static MADE: AtomicU32 = AtomicU32::new(0);
    #[allow(clippy::disallowed_methods, reason = "how the tests are told")]
    let Ok(server) = std::env::var(DATABASE_SERVER) else { return StoreOptions::new(dir) };
    let name = format!("test_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let admin = Database::connect(&server).await.unwrap();
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    admin.close().await.unwrap();
    let url = server.replace("/postgres?", &format!("/{name}?"));
    StoreOptions { database: Some(PostgresUrl::parse(&url).unwrap()), ..StoreOptions::new(dir) }
}

pub(crate) async fn scope_of(store: &Store, account: &str, token: &str) -> Result<AccountScope> {
    let account = AccountId::new(account);
    let token = Secret::new(token.to_owned());
    store.bootstrap(Some(account.clone()), Some(token.clone()), "Test", "test@example.com").await?;
    let principal = store.authenticate(&token).await?.expect("the token is good");
    Ok(principal.scope(&account, Permission::Write).expect("it may write"))
}

pub(crate) fn new_project(name: &str) -> NewProject {
    NewProject {
        name: ProjectName::parse(name).unwrap(),
        production_branch: branch("main"),
        build_config: Default::default(),
        production: Default::default(),
        preview: Default::default(),
        source: None,
    }
}

pub(crate) fn source() -> Source {
    let url = CloneUrl::parse("https://forge.example/owner/repository.git").unwrap();
    Source { clone_url: Some(url), ..Source::new(SourceKind::Forgejo, "owner", "repository") }
}

pub(crate) fn new_build(from: &str, commit: &str) -> NewBuild {
    NewBuild {
        environment: if from == "main" { Environment::Production } else { Environment::Preview },
        branch: branch(from),
        commit: Commit { hash: commit.into(), message: format!("Message of {commit}"), dirty: false },
        trigger: Trigger::GithubPush,
        skip: None,
        untrusted: false,
        pull_request: None,
    }
}

/// The stages up to the end of the build, from wherever an earlier attempt stopped.
pub(crate) fn built(mut stages: Stages) -> Stages {
    for name in [StageName::Queued, StageName::Initialize, StageName::CloneRepo, StageName::Build] {
        if stages.get(name).status == StageStatus::Idle {
            stages = stages.start(name, Clock::now()).unwrap();
        }
        if stages.get(name).status == StageStatus::Active {
            stages = stages.end(name, StageEnd::Success, Clock::now()).unwrap();
        }
    }
    stages
}

pub(crate) fn branch(name: &str) -> BranchName {
    BranchName::parse(name).unwrap()
}

pub(crate) fn key_of(path: &str, bytes: &[u8]) -> AssetKey {
    KeyHasher::of_bytes(bytes).key(AssetPath::parse(path).unwrap().extension())
}

pub(crate) fn upload(path: &str, bytes: &[u8]) -> Upload {
    Upload {
        key: key_of(path, bytes),
        bytes: Bytes::copy_from_slice(bytes),
        content_type: content_type::of_path(path).to_owned(),
        key_hasher: KeyHasher::of_bytes(bytes),
    }
}

pub(crate) fn new_deployment(_: &ProjectScope, from: &str, files: &[(&str, &str)]) -> NewDeployment {
    let asset =
        |(path, text): &(&str, &str)| (AssetPath::parse(path).unwrap(), key_of(path, text.as_bytes()));
    NewDeployment {
        environment: if from == "main" { Environment::Production } else { Environment::Preview },
        branch: branch(from),
        commit: Commit::default(),
        trigger: Trigger::AdHoc,
        assets: files.iter().map(asset).collect(),
        headers: None,
        redirects: None,
        routes: None,
        worker: None,
        functions_routing: None,
        configuration: None,
    }
}

/// What the pipeline does with a direct upload, from wherever an earlier attempt stopped.
pub(crate) async fn run(store: &Store, lease: &Lease) -> Result<(), StoreError> {
    let work = store.work(lease).await?;
    let stages = deploying(work.deployment.stages);
    store.set_stages(lease, stages).await?;
    store.append_log(lease, &[LogLine { at: Clock::now(), text: "Deploying".into() }]).await?;
    let sealed = store.seal(lease).await?;
    store.activate(sealed, lease, succeeded(stages)).await
}

/// What the worker for variants does with the site that has waited longest. `false`: there is none.
pub(crate) async fn make_variants(store: &Store) -> Result<bool> {
    let Some(work) = store.variant_work().await? else { return Ok(false) };
    let document = store.load_site(&work.site).await?;
    let blobs = document.manifest.iter().map(|(_, asset)| asset.blob).collect();
    let mut packs = Vec::new();
    for blob in store.blobs_without_pack(blobs).await? {
        packs.push(pack_of(blob, &store.blobs().read(&blob).await?));
    }
    store.put_packs(packs).await?;
    store.variants_made(work).await?;
    Ok(true)
}

pub(crate) fn pack_of(blob: BlobHash, bytes: &[u8]) -> NewPack {
    NewPack::of_blob(blob, bytes, || false).unwrap().unwrap()
}

pub(crate) fn deploying(mut stages: Stages) -> Stages {
    if stages.get(StageName::Queued).status == StageStatus::Active {
        stages = stages.end(StageName::Queued, StageEnd::Success, Clock::now()).unwrap();
    }
    match stages.get(StageName::Deploy).status {
        StageStatus::Active => stages,
        _ => stages.start(StageName::Deploy, Clock::now()).unwrap(),
    }
}

pub(crate) fn succeeded(stages: Stages) -> Stages {
    stages.end(StageName::Deploy, StageEnd::Success, Clock::now()).unwrap()
}

pub(crate) fn failed(stages: Stages) -> Stages {
    deploying(stages).end(StageName::Deploy, StageEnd::Failure, Clock::now()).unwrap()
}
