//! Deploying to another server of the Pages API: ask what it lacks, upload that, make a deployment there, wait until it is
//! live.
//!
//! Each part is a step with its own log. A worker that dies leaves the steps it has taken: the next one asks again what is
//! missing, so nothing is sent twice, and waits for the deployment that was made, so none is made twice. Between two steps
//! the lease is asked for: a deploy that was cancelled stops there, and whatever is in flight is let go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use offprint_client::types::{Deployment, Project, Standing};
use offprint_client::{ClientError, ClientOptions, NewDeployment, PagesApi, PagesClient, UploadSession};
use offprint_model::asset::AssetKey;
use offprint_model::config::Environment;
use offprint_model::deploy::DeployStep;
use offprint_model::id::AccountId;
use offprint_model::manifest::Asset;
use offprint_store::{
    Lease, PagesTarget, SiteDocument, StepReport, Store, StoreError, Verified, Work, WorkerKind,
};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::feedback::{MayReach, guard};

/// Keys of one question.
const KEYS_MAX: usize = 20_000;
/// Bytes of the assets of one upload call, a single large one aside.
const BUCKET_BYTES_MAX: u64 = 20 << 20;
/// Assets of one upload call.
const BUCKET_ASSETS_MAX: usize = 1000;
/// How long a deployment there may take.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(500);

/// Why a deploy to another server does not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    /// The other server, or the way to it; in words for the log.
    #[error("{0}")]
    Refused(String),
    /// The store failed, or the lease is lost.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ClientError> for RemoteError {
    fn from(error: ClientError) -> Self {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        Self::Refused(text)
    }
}

type Result<T, E = RemoteError> = std::result::Result<T, E>;

/// One deploy to another server.
pub(crate) struct Remote<'a> {
    pub(crate) store: &'a Store,
    pub(crate) lease: &'a Lease,
    pub(crate) work: &'a Work,
    pub(crate) target: &'a PagesTarget,
    pub(crate) may_reach: Option<&'a MayReach>,
}

impl Remote<'_> {
    /// Takes the content live there.
    ///
    /// # Errors
    /// [`RemoteError`]; nothing has changed here then.
    pub(crate) async fn run(&self, document: &SiteDocument) -> Result<Verified> {
        let made = self.store.step_metadata(self.lease, DeployStep::CreateDeployment).await?;
        if made.is_none() {
            // What keeps the target from being called fails this step.
            self.store.begin_step(self.lease, DeployStep::CheckMissing).await?;
        }
        let client = self.client()?;
        let project = self.target.project_name.as_str();
        let unique: BTreeMap<&AssetKey, &Asset> =
            document.manifest.iter().map(|(_, asset)| (&asset.key, asset)).collect();
        let made = match made {
            Some(metadata) => Some(client.deployment(project, &deployment_id(&metadata)?).await?),
            None => None,
        };
        let made = match made {
            Some(made) => made,
            None => {
                let session = self.send(&client, &unique).await?;
                self.create(&session, document).await?
            }
        };
        let live = self.wait(&client, made).await?;
        let there = client.project(project).await?;
        self.note_urls(&there, &live).await?;
        Ok(self.verify(&there, &live))
    }

    /// Whether the other server serves what it was sent, in its own words. Somebody may have deployed there meanwhile.
    fn verify(&self, there: &Project, live: &Deployment) -> Verified {
        let is_production = self.work.deployment.environment == Environment::Production;
        let canonical = there.canonical_deployment.as_ref().map(|deployment| deployment.id.as_str());
        if is_production && canonical != Some(live.id.as_str()) {
            let error = Some("The target serves another deployment in production.".to_owned());
            return Verified { error, ..Verified::default() };
        }
        Verified { log: format!("The target serves the deployment {}.", live.id), error: None }
    }

    fn client(&self) -> Result<PagesClient> {
        let base = self.target.base_url.as_str();
        let refuse = |why: String| RemoteError::Refused(format!("the target's address {why}"));
        let resolver = match self.may_reach {
            Some(may_reach) => guard(base, may_reach).map_err(|why| refuse(why.to_owned()))?,
            None => return Err(refuse("may not be called by this server".into())),
        };
        let options = ClientOptions {
            resolver: Some(Arc::new(resolver)),
            ..ClientOptions::new(base, self.target.api_token.clone())
        };
        Ok(PagesApi::new(options)?.in_account(AccountId::new(self.target.account_id.as_str())))
    }

    /// Uploads what the server lacks. The first step has begun.
    async fn send(
        &self,
        client: &PagesClient,
        unique: &BTreeMap<&AssetKey, &Asset>,
    ) -> Result<UploadSession> {
        let session = client.upload_session(&self.target.project_name).await?;
        let keys: Vec<&AssetKey> = unique.keys().copied().collect();
        let mut missing = Vec::new();
        for chunk in keys.chunks(KEYS_MAX) {
            missing.extend(session.check_missing(chunk).await?);
        }
        let said = format!("The target lacks {} of {} assets.", missing.len(), unique.len());
        self.end(DeployStep::CheckMissing, said, None).await?;

        self.store.begin_step(self.lease, DeployStep::Upload).await?;
        let lacking: Vec<&Asset> = missing
            .iter()
            .filter_map(|key| AssetKey::parse(key).ok())
            .filter_map(|key| unique.get(&key).copied())
            .collect();
        let bytes: u64 = lacking.iter().map(|asset| asset.size).sum();
        for bucket in buckets(&lacking) {
            session.upload(self.body(&bucket).await?).await?;
        }
        for chunk in keys.chunks(KEYS_MAX) {
            session.upsert_hashes(chunk).await?;
        }
        self.end(DeployStep::Upload, format!("Uploaded {} assets, {bytes} bytes.", lacking.len()), None)
            .await?;
        Ok(session)
    }

    async fn body(&self, bucket: &[&Asset]) -> Result<Bytes> {
        let mut items = Vec::with_capacity(bucket.len());
        for asset in bucket {
            let bytes = self.store.blobs().read(&asset.blob).await?;
            items.push(json!({
                "key": asset.key.as_str(),
                "value": base64_simd::STANDARD.encode_to_string(&bytes),
                "metadata": { "contentType": &*asset.content_type },
                "base64": true,
            }));
        }
        Ok(Bytes::from(Value::Array(items).to_string()))
    }

    async fn create(&self, session: &UploadSession, document: &SiteDocument) -> Result<Deployment> {
        self.store.begin_step(self.lease, DeployStep::CreateDeployment).await?;
        let worker = match &document.worker {
            None => None,
            Some(worker) if worker.kind == WorkerKind::Script => {
                Some(self.store.blobs().read(&worker.blob).await?)
            }
            Some(_) => {
                let why =
                    "the build has Functions of several modules, which cannot be sent to another server yet";
                return Err(RemoteError::Refused(why.into()));
            }
        };
        let manifest: Map<String, Value> = document
            .manifest
            .iter()
            .map(|(path, asset)| (path.as_str().to_owned(), json!(asset.key.as_str())))
            .collect();
        let deployment = &self.work.deployment;
        let text = |text: &Option<String>| text.clone().map(Bytes::from);
        let is_preview = deployment.environment == Environment::Preview;
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let new = NewDeployment {
            manifest: Bytes::from(Value::Object(manifest).to_string()),
            // Without a branch it is production there, whatever its production branch is called.
            branch: is_preview.then(|| deployment.branch.as_str().to_owned()),
            commit_hash: filled(&deployment.commit.hash),
            commit_message: filled(&deployment.commit.message),
            commit_dirty: Some(deployment.commit.dirty),
            headers: text(&document.headers),
            redirects: text(&document.redirects),
            routes: worker.as_ref().and_then(|_| text(&document.routes)),
            worker,
        };
        let made = session.client().create_deployment(session.project(), new).await?;
        let metadata = json!({ "deploymentId": made.id, "url": made.url });
        let said = format!("Made the deployment {} at {}.", made.id, made.url);
        self.end(DeployStep::CreateDeployment, said, Some(metadata)).await?;
        Ok(made)
    }

    async fn wait(&self, client: &PagesClient, mut seen: Deployment) -> Result<Deployment> {
        self.store.begin_step(self.lease, DeployStep::Poll).await?;
        let began = Instant::now();
        loop {
            match seen.standing() {
                Standing::Live => break,
                Standing::Ended => {
                    let stage = &seen.latest_stage;
                    return Err(RemoteError::Refused(format!(
                        "the target ended the deployment at {} with {}",
                        stage.name, stage.status
                    )));
                }
                Standing::Underway if began.elapsed() > PATIENCE => {
                    return Err(RemoteError::Refused(
                        "the deployment at the target does not come to an end".into(),
                    ));
                }
                Standing::Underway => tokio::time::sleep(PAUSE).await,
            }
            seen = client.deployment(&self.target.project_name, &seen.id).await?;
        }
        self.end(DeployStep::Poll, "The target has taken it live.".into(), None).await?;
        Ok(seen)
    }

    /// Where it answers there.
    async fn note_urls(&self, there: &Project, live: &Deployment) -> Result<()> {
        let is_production = self.work.deployment.environment == Environment::Production;
        let production = (is_production && !there.subdomain.is_empty()).then(|| {
            let scheme = live.url.split("://").next().unwrap_or("https");
            // The subdomain has no port, and a server that is tried out may have one.
            let port = live.url.rsplit(':').next().filter(|port| port.parse::<u16>().is_ok());
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("{scheme}://{}{port}", there.subdomain)
        });
        Ok(self.store.set_deploy_urls(self.lease, production, live.url.clone()).await?)
    }

    async fn end(&self, step: DeployStep, log: String, metadata: Option<Value>) -> Result<()> {
        let metadata = metadata.map(|metadata| metadata.to_string());
        Ok(self.store.end_step(self.lease, step, StepReport { log: Some(log), metadata }).await?)
    }
}

fn deployment_id(metadata: &str) -> Result<String> {
    let metadata: Value = serde_json::from_str(metadata).unwrap_or_default();
    let id = metadata["deploymentId"].as_str().map(str::to_owned);
    id.ok_or_else(|| StoreError::Corrupt("a step of a deploy names no deployment".into()).into())
}

/// Assets that travel together.
fn buckets<'a>(assets: &[&'a Asset]) -> Vec<Vec<&'a Asset>> {
    let mut buckets: Vec<Vec<&Asset>> = Vec::new();
    let mut bytes = 0;
    for asset in assets {
        let full = buckets
            .last()
            .is_none_or(|bucket| bucket.len() >= BUCKET_ASSETS_MAX || bytes + asset.size > BUCKET_BYTES_MAX);
        if full {
            buckets.push(Vec::new());
            bytes = 0;
        }
        bytes += asset.size;
        if let Some(bucket) = buckets.last_mut() {
            bucket.push(asset);
        }
    }
    buckets
}
