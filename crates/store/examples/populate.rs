//! Fills a new store with many small sites, for measuring: `populate DIR COUNT`.
//!
//! Makes the projects `p0` to `p<COUNT - 1>`, each with one live production deployment of a page of its own,
//! by the calls that the API and the pipeline make for a deployment of a client.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use offprint_model::asset::{AssetKey, AssetPath, KeyHasher};
use offprint_model::config::{BuildConfig, Environment, EnvironmentPatch};
use offprint_model::deployment::{Commit, Trigger};
use offprint_model::id::AccountId;
use offprint_model::name::{BranchName, ProjectName};
use offprint_model::secret::Secret;
use offprint_model::stages::{StageEnd, StageName};
use offprint_store::{
    AccountScope, Clock, NewDeployment, NewProject, Permission, Store, StoreOptions, Upload,
};

/// The account and the token of `scripts/lib/offprint.py`, whose scripts start servers on the store.
const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
const TOKEN: &str = "a-token-for-tests-only";

type Failure = Box<dyn Error + Send + Sync>;

/// So many sites are made at the same time; those that wait for the disk share its syncs.
const WORKERS: usize = 64;
/// So many pages are uploaded in one call.
const UPLOADED_TOGETHER: usize = 500;
const LEASE: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, count] = arguments.as_slice() else { return Err("arguments: DIR COUNT".into()) };
    let count: usize = count.parse()?;
    let store = Store::open(StoreOptions::new(PathBuf::from(data))).await?;
    let account = account_scope(&store).await?;
    let mut keys = Vec::with_capacity(count);
    for start in (0..count).step_by(UPLOADED_TOGETHER) {
        let uploads: Vec<Upload> = (start..count.min(start + UPLOADED_TOGETHER)).map(upload).collect();
        keys.extend(uploads.iter().map(|upload| upload.key.clone()));
        store.put_assets(&account, uploads).await?;
    }
    let sites = Arc::new(Sites { store, account, keys, next: AtomicUsize::new(0) });
    let workers: Vec<_> = (0..WORKERS).map(|_| tokio::spawn(Arc::clone(&sites).work())).collect();
    for worker in workers {
        worker.await??;
    }
    writeln!(std::io::stdout(), "{count} projects")?;
    Ok(())
}

async fn account_scope(store: &Store) -> Result<AccountScope, Failure> {
    let (id, secret) = (AccountId::new(ACCOUNT), Secret::new(TOKEN.to_owned()));
    store.bootstrap(Some(id.clone()), Some(secret.clone()), "populate", "populate@example.com").await?;
    let principal = store.authenticate(&secret).await?.ok_or("the token is unknown")?;
    Ok(principal.scope(&id, Permission::Write)?)
}

fn upload(number: usize) -> Upload {
    let filler = "A page of a site among many. ".repeat(20);
    let page =
        format!("<!doctype html>\n<title>Site {number}</title>\n<h1>Site {number}</h1>\n<p>{filler}</p>\n");
    let key_hasher = KeyHasher::of_bytes(page.as_bytes());
    let key = key_hasher.key("html");
    Upload { key, bytes: Bytes::from(page), content_type: "text/html; charset=utf-8".to_owned(), key_hasher }
}

/// The sites to be made, and how far that is.
struct Sites {
    store: Store,
    account: AccountScope,
    keys: Vec<AssetKey>,
    next: AtomicUsize,
}

impl Sites {
    async fn work(self: Arc<Self>) -> Result<(), Failure> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(key) = self.keys.get(number) else { return Ok(()) };
            self.create(number, key.clone()).await?;
            // Not always the job of the site just made; as many are finished as are made.
            self.finish_one().await?;
        }
    }

    async fn create(&self, number: usize, key: AssetKey) -> Result<(), Failure> {
        let name = ProjectName::parse(&format!("p{number}"))?;
        let project = NewProject {
            name: name.clone(),
            production_branch: BranchName::parse("main")?,
            build_config: BuildConfig::default(),
            production: EnvironmentPatch::default(),
            preview: EnvironmentPatch::default(),
            source: None,
        };
        self.store.create_project(&self.account, project).await?;
        let (scope, _) = self.store.project(&self.account, &name).await?;
        let deployment = NewDeployment {
            environment: Environment::Production,
            branch: BranchName::parse("main")?,
            commit: Commit::default(),
            trigger: Trigger::AdHoc,
            assets: vec![(AssetPath::parse("/index.html")?, key)],
            headers: None,
            redirects: None,
            routes: None,
            worker: None,
            functions_routing: None,
            configuration: None,
        };
        self.store.create_deployment(&scope, deployment).await?;
        Ok(())
    }

    /// What the pipeline does with a job.
    async fn finish_one(&self) -> Result<(), Failure> {
        let lease = self.store.claim_upload("populate", LEASE).await?.ok_or("no job to claim")?;
        let now = Clock::now();
        let stages = self.store.work(&lease).await?.deployment.stages;
        let stages = stages.end(StageName::Queued, StageEnd::Success, now)?.start(StageName::Deploy, now)?;
        self.store.set_stages(&lease, stages).await?;
        let sealed = self.store.seal(&lease).await?;
        let stages = stages.end(StageName::Deploy, StageEnd::Success, Clock::now())?;
        self.store.activate(sealed, &lease, stages).await?;
        Ok(())
    }
}
