//! The content of a deployment: from claimed keys to a site that is stored and pinned.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use offprint_model::asset::{AssetKey, AssetPath, BlobHash, KeyHasher};
use offprint_model::config::{BuildConfig, Environment, EnvironmentConfig, EnvironmentPatch, Patch};
use offprint_model::manifest::{Asset, Manifest};
use offprint_model::project::Project;

use super::insert::returned;
use crate::assets::hash_of;
use crate::blobs::NewBlob;
use crate::clock::Clock;
use crate::crypt::unhex;
use crate::db::{Rows, Tx, values};
use crate::error::{Result, StoreError};
use crate::open::Store;
use crate::projects::{ProjectScope, json, load_by_seq};
use crate::site::{SiteDocument, WorkerKind, WorkerRef};
use crate::sql;
use crate::stored::document;

/// How many paths an error names.
const NAMED_PATHS: usize = 10;

/// What a deployment is to serve.
#[derive(Clone, Default)]
pub struct NewContent {
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

/// What goes into the transaction. To be used under the lock against collection under which it was made.
pub(crate) struct Prepared {
    pub(crate) document: SiteDocument,
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
    /// Looks the keys up, checks them, makes the document, and makes it and the Worker durable.
    pub(crate) async fn prepare(&self, scope: &ProjectScope, new: &NewContent) -> Result<Prepared> {
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
        let build_config = load_by_seq(self.db(), self.keys(), scope.seq).await?.build_config;
        let document = SiteDocument {
            manifest: manifest(&new.assets, &rows)?,
            headers: new.headers.clone(),
            redirects: new.redirects.clone(),
            routes: new.routes.clone(),
            worker,
            functions_routing,
            // A token without a tag measures nothing.
            web_analytics_token: build_config.web_analytics_tag.and(build_config.web_analytics_token),
        };
        let encoded = Bytes::from(document::encode(&document)?);
        let site = extra(&encoded);
        let blob_ids = rows.values().map(|row| row.blob_id).collect();
        let prepared = Prepared { document, site, extras, blob_ids, verified };
        self.put_extras(&prepared).await?;
        Ok(prepared)
    }

    async fn key_rows(
        &self,
        account: i64,
        assets: &[(AssetPath, AssetKey)],
    ) -> Result<HashMap<String, KeyRow>> {
        let keys: HashSet<&str> = assets.iter().map(|(_, key)| key.as_str()).collect();
        let row = self.db().one(sql::KEY_ROWS.of(self.db().engine()), values![account, json(&keys)?]).await?;
        let found = row.map(|row| row.get::<String>("found")).transpose()?.unwrap_or_default();
        key_rows_of(&found)
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
        tx.run(sql::FORGET_KEYS.of(tx.engine()), values![scope.account_seq, json(&forget)?]).await?;
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

/// The rows in the answer of [`sql::KEY_ROWS`].
fn key_rows_of(json: &str) -> Result<HashMap<String, KeyRow>> {
    type Found<'a> = (String, i64, &'a str, u64, Cow<'a, str>, Option<String>);
    let damaged = |error: serde_json::Error| StoreError::Corrupt(format!("the rows of keys: {error}"));
    let found: Vec<Found<'_>> = serde_json::from_str(json).map_err(damaged)?;
    let mut types: HashMap<Cow<'_, str>, Arc<str>> = HashMap::new();
    let mut rows = HashMap::with_capacity(found.len());
    for (key, blob_id, hash, size, content_type, extension) in found {
        let hash = hash_of(unhex(hash).unwrap_or_default())?;
        let content_type = types.entry(content_type).or_insert_with_key(|name| Arc::from(&**name)).clone();
        rows.insert(key, KeyRow { blob_id, hash, size, content_type, extension });
    }
    Ok(rows)
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

/// Merges settings that came with content into a project.
pub(crate) fn apply(project: &mut Project, environment: Environment, configuration: UploadedConfiguration) {
    let config = match environment {
        Environment::Production => &mut project.production,
        Environment::Preview => &mut project.preview,
    };
    apply_to(config, &mut project.build_config, configuration);
}

/// Merges settings that came with content into those of one environment.
pub(crate) fn apply_to(
    config: &mut EnvironmentConfig,
    build_config: &mut BuildConfig,
    configuration: UploadedConfiguration,
) {
    config.apply(configuration.patch);
    config.apply(EnvironmentPatch {
        wrangler_config_hash: Patch::Set(configuration.hash),
        ..EnvironmentPatch::default()
    });
    if configuration.destination_dir.is_some() {
        build_config.destination_dir = configuration.destination_dir;
    }
}

const KEEP_SITE: &str = "UPDATE site SET released = NULL WHERE hash = $1 RETURNING id AS seq";
const ADD_SITE: &str = "INSERT INTO site (hash, pins, created) VALUES ($1, $2, $3) RETURNING id AS seq";
const BLOB_ID: &str = "SELECT id FROM blob WHERE hash = $1";

/// The row of the site. Its pins are written when it is new; an unchanged redeployment writes none.
pub(crate) async fn ensure_site(tx: &Tx, scope: &ProjectScope, prepared: &Prepared) -> Result<i64> {
    if !prepared.verified.is_empty() {
        tx.run(sql::VERIFY_KEYS.of(tx.engine()), values![scope.account_seq, json(&prepared.verified)?])
            .await?;
    }
    let kept = tx.returning(KEEP_SITE, values![&prepared.site]).await?;
    if !kept.is_empty() {
        return returned(&kept);
    }
    let now = Clock::now();
    let extras: Vec<_> = prepared.extras.iter().map(|blob| (blob.hash.to_hex(), blob.bytes.len())).collect();
    tx.run(sql::ADD_BLOBS.of(tx.engine()), values![json(&extras)?, now]).await?;
    let mut pinned = prepared.blob_ids.clone();
    for extra in &prepared.extras {
        let row = tx.one(BLOB_ID, values![&extra.hash]).await?;
        let row = row.ok_or_else(|| StoreError::Corrupt("a blob that was just added has no row".into()))?;
        pinned.insert(row.get("id")?);
    }
    let count = i64::try_from(pinned.len()).unwrap_or(i64::MAX);
    let site = returned(&tx.returning(ADD_SITE, values![&prepared.site, count, now]).await?)?;
    tx.run(sql::ADD_PINS.of(tx.engine()), values![site, json(&pinned)?]).await?;
    Ok(site)
}
