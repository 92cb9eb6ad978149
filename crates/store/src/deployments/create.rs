//! Making a deployment from uploaded assets.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use offprint_model::asset::{AssetKey, AssetPath, BlobHash, KeyHasher};
use offprint_model::config::{Environment, EnvironmentConfig, EnvironmentPatch, Patch};
use offprint_model::deployment::{Commit, Deployment, Trigger};
use offprint_model::id::{BuildId, DeployId, DeploymentId};
use offprint_model::manifest::{Asset, Manifest};
use offprint_model::name::{AliasLabel, BranchName};
use offprint_model::project::Project;
use offprint_model::stages::Stages;
use offprint_model::time::Timestamp;
use uuid::Uuid;

use super::row::by_seq;
use crate::assets::hash_of;
use crate::blobs::NewBlob;
use crate::clock::Clock;
use crate::db::{Row, Rows, Tx, values};
use crate::error::{Result, StoreError};
use crate::open::{Store, to_the_end};
use crate::projects::{ProjectScope, json, load_by_seq, preview_owner, production_owner, write_settings};
use crate::site::{ShortId, SiteDocument, WorkerKind, WorkerRef};
use crate::sql;
use crate::stored::{build_config_to_json, document, environment_to_json, source_to_json, stages_to_json};

/// How many paths an error names.
const NAMED_PATHS: usize = 10;

/// A deployment to be made from uploaded assets.
#[derive(Clone)]
pub struct NewDeployment {
    /// Production or preview.
    pub environment: Environment,
    /// The branch it comes from.
    pub branch: BranchName,
    /// The commit it comes from.
    pub commit: Commit,
    /// What caused it.
    pub trigger: Trigger,
    /// The manifest: which key is to be served at which path.
    pub assets: Vec<(AssetPath, AssetKey)>,
    /// The text of `_headers`.
    pub headers: Option<String>,
    /// The text of `_redirects`.
    pub redirects: Option<String>,
    /// The text of `_routes.json`.
    pub routes: Option<String>,
    /// The Worker.
    pub worker: Option<(WorkerKind, Bytes)>,
    /// `functions-filepath-routing-config.json`.
    pub functions_routing: Option<Bytes>,
    /// The settings of the Wrangler configuration that came along.
    pub configuration: Option<UploadedConfiguration>,
}

/// Settings that came with a deployment. They become the project's in the same transaction.
#[derive(Clone, Default)]
pub struct UploadedConfiguration {
    /// The hash of the configuration file.
    pub hash: String,
    /// The directory that was deployed.
    pub destination_dir: Option<String>,
    /// The settings, for the environment of the deployment.
    pub patch: EnvironmentPatch,
}

/// A key's row.
struct KeyRow {
    blob_id: i64,
    hash: BlobHash,
    size: u64,
    content_type: Arc<str>,
    extension: Option<String>,
}

/// What goes into the transaction.
struct Prepared {
    document: SiteDocument,
    /// The document's hash: the name of the site.
    site: BlobHash,
    /// The document, the Worker and what comes with it.
    extras: Vec<NewBlob>,
    /// The rows of the assets' blobs.
    blob_ids: BTreeSet<i64>,
    /// Keys that were checked against their bytes here, to be remembered: key, blob, extension.
    verified: Vec<(String, i64, String)>,
}

impl Store {
    /// Makes a deployment, queued, with a job for the pipeline. All of it is made, or nothing.
    ///
    /// # Errors
    /// `MissingAssets` and `KeyMismatch` name the first paths. Keys that do not match are forgotten, so that
    /// the client finds them missing and uploads them again. `DuplicatePath`, `NotFound(Project)`.
    pub async fn create_deployment(&self, scope: &ProjectScope, new: NewDeployment) -> Result<Deployment> {
        let (store, scope) = (self.clone(), scope.clone());
        to_the_end(async move { store.create_deployment_now(&scope, new).await }).await
    }

    async fn create_deployment_now(&self, scope: &ProjectScope, new: NewDeployment) -> Result<Deployment> {
        let _guard = self.collection_lock().upload().await?;
        let prepared = self.prepare(scope, &new).await?;
        self.put_extras(&prepared).await?;
        let tx = self.db().write("create_deployment").await?;
        let mut project = load_by_seq(&tx, self.keys(), scope.seq).await?;
        if let Some(configuration) = new.configuration.clone() {
            apply(&mut project, new.environment, configuration);
            write_settings(&tx, self.keys(), scope.seq, &project).await?;
        }
        if !prepared.verified.is_empty() {
            tx.run(sql::VERIFY_KEYS, values![scope.account_seq, json(&prepared.verified)?]).await?;
        }
        let site = ensure_site(&tx, &prepared).await?;
        let rows = tx.returning(ADD_BUILD, values![new_id(), scope.seq, site, Clock::now()]).await?;
        let snapshot = Snapshot::of(self, &project, new.environment)?;
        let insert = Insert {
            project_seq: scope.seq,
            build_seq: returned(&rows)?,
            site_id: site,
            environment: new.environment.as_str(),
            label: label(&tx, scope.seq, &new.branch).await?,
            branch: new.branch.as_str().to_owned(),
            commit: new.commit,
            cause: new.trigger.as_str().to_owned(),
            snapshot,
            uses_functions: prepared.document.worker.is_some(),
        };
        let seq = insert.run(&tx, "create").await?;
        let deployment = by_seq(&tx, self.keys(), seq).await?;
        tx.commit().await?;
        Ok(deployment)
    }

    /// Looks the keys up, checks them, and makes the document.
    async fn prepare(&self, scope: &ProjectScope, new: &NewDeployment) -> Result<Prepared> {
        let rows = self.key_rows(scope.account_seq, &new.assets).await?;
        let missing = |(_, key): &&(AssetPath, AssetKey)| !rows.contains_key(key.as_str());
        let missing: Vec<&AssetPath> = new.assets.iter().filter(missing).map(|(path, _)| path).collect();
        if !missing.is_empty() {
            return Err(StoreError::MissingAssets { first: first(&missing), total: missing.len() });
        }
        let verified = if self.options().admit_foreign_keys {
            Vec::new()
        } else {
            self.verify_keys(scope, &new.assets, &rows).await?
        };
        let mut extras = Vec::new();
        let mut extra = |bytes: &Bytes| {
            let blob = NewBlob { hash: BlobHash::of(bytes), bytes: bytes.clone() };
            extras.push(blob.clone());
            blob.hash
        };
        let worker = new.worker.as_ref().map(|(kind, bytes)| WorkerRef { blob: extra(bytes), kind: *kind });
        let functions_routing = new.functions_routing.as_ref().map(&mut extra);
        let project = load_by_seq(self.db(), self.keys(), scope.seq).await?;
        let document = SiteDocument {
            manifest: manifest(&new.assets, &rows)?,
            headers: new.headers.clone(),
            redirects: new.redirects.clone(),
            routes: new.routes.clone(),
            worker,
            functions_routing,
            web_analytics_token: project.build_config.web_analytics_token,
        };
        let encoded = Bytes::from(document::encode(&document)?);
        let site = extra(&encoded);
        let blob_ids = rows.values().map(|row| row.blob_id).collect();
        Ok(Prepared { document, site, extras, blob_ids, verified })
    }

    async fn key_rows(
        &self,
        account: i64,
        assets: &[(AssetPath, AssetKey)],
    ) -> Result<HashMap<String, KeyRow>> {
        let keys: BTreeSet<&str> = assets.iter().map(|(_, key)| key.as_str()).collect();
        let mut types: HashMap<String, Arc<str>> = HashMap::new();
        let mut found = HashMap::with_capacity(keys.len());
        for row in self.db().all(sql::KEY_ROWS, values![account, json(&keys)?]).await? {
            let content_type: String = row.get("content_type")?;
            let content_type = types.entry(content_type).or_insert_with_key(|name| name.as_str().into());
            let key_row = KeyRow {
                blob_id: row.get("blob_id")?,
                hash: hash_of(row.get("hash")?)?,
                size: u64::try_from(row.get::<i64>("size")?).unwrap_or_default(),
                content_type: content_type.clone(),
                extension: row.get("verified_extension")?,
            };
            found.insert(row.get("key")?, key_row);
        }
        Ok(found)
    }

    /// Checks each key against its bytes and the extension of its path. Where the upload has found the
    /// extension this is a comparison; the bytes of the others are read, one after the other.
    async fn verify_keys(
        &self,
        scope: &ProjectScope,
        assets: &[(AssetPath, AssetKey)],
        rows: &HashMap<String, KeyRow>,
    ) -> Result<Vec<(String, i64, String)>> {
        let mut verified: HashMap<&str, (i64, &str)> = HashMap::new();
        let mut mismatches = Vec::new();
        let mut forget = Vec::new();
        for (path, key) in assets {
            let Some(row) = rows.get(key.as_str()) else { continue };
            let extension = path.extension();
            let known =
                row.extension.as_deref().or_else(|| verified.get(key.as_str()).map(|(_, known)| *known));
            match known {
                Some(known) if known == extension => {}
                // The key belongs to its bytes under another extension: the manifest is wrong, not the row.
                Some(_) => mismatches.push(path),
                None if self.belongs(key, &row.hash, extension).await? => {
                    verified.insert(key.as_str(), (row.blob_id, extension));
                }
                None => {
                    mismatches.push(path);
                    forget.push((key.as_str(), row.blob_id));
                }
            }
        }
        if mismatches.is_empty() {
            let owned = |(key, (blob, extension)): (&str, (i64, &str))| (key.into(), blob, extension.into());
            return Ok(verified.into_iter().map(owned).collect());
        }
        forget.retain(|(key, _)| !verified.contains_key(key));
        let tx = self.db().write("forget_keys").await?;
        tx.run(sql::FORGET_KEYS, values![scope.account_seq, json(&forget)?]).await?;
        tx.commit().await?;
        Err(StoreError::KeyMismatch { first: first(&mismatches), total: mismatches.len() })
    }

    async fn belongs(&self, key: &AssetKey, blob: &BlobHash, extension: &str) -> Result<bool> {
        let bytes = self.blobs().read(blob).await?;
        let (key, extension) = (key.clone(), extension.to_owned());
        crate::lock::blocking(move || Ok(KeyHasher::of_bytes(&bytes).key(&extension) == key)).await
    }

    /// Makes the document and the Worker durable, unless they are.
    async fn put_extras(&self, prepared: &Prepared) -> Result<()> {
        let known = self.known_blobs(prepared.extras.iter().map(|blob| &blob.hash)).await?;
        let new = prepared.extras.iter().filter(|blob| !known.contains(&blob.hash)).cloned().collect();
        self.blob_store().put(new).await
    }
}

fn manifest(assets: &[(AssetPath, AssetKey)], rows: &HashMap<String, KeyRow>) -> Result<Manifest> {
    let mut entries = Vec::with_capacity(assets.len());
    for (path, key) in assets {
        let Some(row) = rows.get(key.as_str()) else { continue };
        let content_type = row.content_type.clone();
        entries
            .push((path.clone(), Asset { key: key.clone(), blob: row.hash, size: row.size, content_type }));
    }
    Manifest::new(entries).map_err(|duplicate| StoreError::DuplicatePath(duplicate.0))
}

fn first(paths: &[&AssetPath]) -> Vec<AssetPath> {
    paths.iter().take(NAMED_PATHS).map(|path| (*path).clone()).collect()
}

fn apply(project: &mut Project, environment: Environment, configuration: UploadedConfiguration) {
    let config = match environment {
        Environment::Production => &mut project.production,
        Environment::Preview => &mut project.preview,
    };
    config.apply(configuration.patch);
    config.apply(EnvironmentPatch {
        wrangler_config_hash: Patch::Set(configuration.hash),
        ..EnvironmentPatch::default()
    });
    if configuration.destination_dir.is_some() {
        project.build_config.destination_dir = configuration.destination_dir;
    }
}

const KEEP_SITE: &str = "UPDATE site SET released = NULL WHERE hash = $1 RETURNING id AS seq";
const ADD_SITE: &str = "INSERT INTO site (hash, pins, created) VALUES ($1, $2, $3) RETURNING id AS seq";
const BLOB_ID: &str = "SELECT id FROM blob WHERE hash = $1";

/// The row of the site. Its pins are written when it is new; an unchanged redeployment writes none.
async fn ensure_site(tx: &Tx, prepared: &Prepared) -> Result<i64> {
    let kept = tx.returning(KEEP_SITE, values![&prepared.site]).await?;
    if !kept.is_empty() {
        return returned(&kept);
    }
    let now = Clock::now();
    let extras: Vec<_> = prepared.extras.iter().map(|blob| (blob.hash.to_hex(), blob.bytes.len())).collect();
    tx.run(sql::ADD_BLOBS, values![json(&extras)?, now]).await?;
    let mut pinned = prepared.blob_ids.clone();
    for extra in &prepared.extras {
        let row = tx.one(BLOB_ID, values![&extra.hash]).await?;
        let row = row.ok_or_else(|| StoreError::Corrupt("a blob that was just added has no row".into()))?;
        pinned.insert(row.get("id")?);
    }
    let count = i64::try_from(pinned.len()).unwrap_or(i64::MAX);
    let site = returned(&tx.returning(ADD_SITE, values![&prepared.site, count, now]).await?)?;
    tx.run(sql::ADD_PINS, values![site, json(&pinned)?]).await?;
    Ok(site)
}

/// The settings that a deployment keeps, as JSON columns.
pub(super) struct Snapshot {
    pub(super) production_branch: String,
    pub(super) build_config: String,
    pub(super) config: String,
    pub(super) source: Option<String>,
}

impl Snapshot {
    fn of(store: &Store, project: &Project, environment: Environment) -> Result<Self> {
        let owner = match environment {
            Environment::Production => production_owner(&project.id),
            Environment::Preview => preview_owner(&project.id),
        };
        let config: &EnvironmentConfig = project.config(environment);
        Ok(Self {
            production_branch: project.production_branch.as_str().to_owned(),
            build_config: build_config_to_json(&project.build_config)?,
            config: environment_to_json(config, store.keys(), &owner)?,
            source: project.source.as_ref().map(source_to_json).transpose()?,
        })
    }
}

const ADD_BUILD: &str =
    "INSERT INTO build (id, project_seq, site_id, created) VALUES ($1, $2, $3, $4) RETURNING seq";
const ADD_DEPLOYMENT: &str = "INSERT INTO deployment
        (id, short, project_seq, build_seq, site_id, environment, branch, label, production_branch,
        commit_hash, commit_message, commit_dirty, cause, created, modified, stages,
        build_config, config, source, uses_functions)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15, $16, $17, $18, $19)
    RETURNING seq";
const ADD_DEPLOY: &str = "INSERT INTO deploy (id, project_seq, deployment_seq, cause, created, completed)
    VALUES ($1, $2, $3, $4, $5, $6) RETURNING seq";
const ADD_JOB: &str = "INSERT INTO job (deployment_seq, deploy_seq, state) VALUES ($1, $2, 'ready')";
const NEWEST: &str = "SELECT created FROM deployment WHERE project_seq = $1 ORDER BY seq DESC LIMIT 1";
const SHORT_TAKEN: &str = "SELECT seq FROM deployment WHERE project_seq = $1 AND short = $2";
const LABEL_OF_BRANCH: &str =
    "SELECT label FROM deployment WHERE project_seq = $1 AND branch = $2 ORDER BY seq DESC LIMIT 1";

/// The rows of a new deployment.
pub(super) struct Insert {
    pub(super) project_seq: i64,
    pub(super) build_seq: i64,
    pub(super) site_id: i64,
    pub(super) environment: &'static str,
    pub(super) label: String,
    pub(super) branch: String,
    pub(super) commit: Commit,
    pub(super) cause: String,
    pub(super) snapshot: Snapshot,
    pub(super) uses_functions: bool,
}

impl Insert {
    /// Writes the deployment, its deploy and its job, and returns the deployment's number.
    pub(super) async fn run(self, tx: &Tx, wish: &'static str) -> Result<i64> {
        let (id, short) = free_id(tx, self.project_seq).await?;
        let now = later_than_newest(tx, self.project_seq).await?;
        let values = values![
            id.as_str(),
            i64::from(short.0),
            self.project_seq,
            self.build_seq,
            self.site_id,
            self.environment,
            self.branch,
            self.label,
            self.snapshot.production_branch,
            self.commit.hash,
            self.commit.message,
            self.commit.dirty,
            self.cause,
            now,
            stages_to_json(&Stages::queued(now))?,
            self.snapshot.build_config,
            self.snapshot.config,
            self.snapshot.source,
            self.uses_functions,
        ];
        let seq = returned(&tx.returning(ADD_DEPLOYMENT, values).await?)?;
        let deploy = add_deploy(tx, self.project_seq, seq, wish, now, None).await?;
        tx.run(ADD_JOB, values![seq, deploy]).await?;
        Ok(seq)
    }
}

/// Writes down a wish and returns its number, by which wishes are ordered.
pub(super) async fn add_deploy(
    tx: &Tx,
    project: i64,
    deployment: i64,
    wish: &'static str,
    now: Timestamp,
    completed: Option<Timestamp>,
) -> Result<i64> {
    let id = DeployId::new(Uuid::new_v4().to_string());
    let rows =
        tx.returning(ADD_DEPLOY, values![id.as_str(), project, deployment, wish, now, completed]).await?;
    returned(&rows)
}

/// An id whose first eight digits no other deployment of the project has had: they name a host.
async fn free_id(tx: &Tx, project: i64) -> Result<(DeploymentId, ShortId)> {
    loop {
        let id = DeploymentId::new(Uuid::new_v4().to_string());
        let short = ShortId::parse(id.short());
        let short = short.ok_or_else(|| StoreError::Corrupt("a new id does not begin with digits".into()))?;
        if tx.one(SHORT_TAKEN, values![project, i64::from(short.0)]).await?.is_none() {
            return Ok((id, short));
        }
    }
}

/// The time now, or just after the newest deployment when the clock was set back: clients sort by it.
async fn later_than_newest(tx: &Tx, project: i64) -> Result<Timestamp> {
    let newest = tx.one(NEWEST, values![project]).await?.map(|row| row.time("created")).transpose()?;
    let after = newest.map_or(0, |newest| newest.as_micros().saturating_add(1));
    Ok(Clock::now().max(Timestamp::from_micros(after)))
}

/// The host label of the branch. One without letters and digits gets a random one, and keeps it.
async fn label(tx: &Tx, project: i64, branch: &BranchName) -> Result<String> {
    if let Some(label) = branch.alias() {
        return Ok(label.as_str().to_owned());
    }
    match tx.one(LABEL_OF_BRANCH, values![project, branch.as_str()]).await? {
        Some(row) => row.get("label"),
        None => Ok(AliasLabel::nameless(&Uuid::new_v4().simple().to_string()[..10]).as_str().to_owned()),
    }
}

fn new_id() -> String {
    BuildId::new(Uuid::new_v4().to_string()).as_str().to_owned()
}

/// The number that an insert returned.
pub(super) fn returned(rows: &[Row]) -> Result<i64> {
    rows.first().ok_or_else(|| StoreError::Corrupt("an insert returned no row".into()))?.get("seq")
}
