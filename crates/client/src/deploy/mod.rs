//! Brings a folder live: walk, hash, ask what is missing, upload that, post the manifest, wait.
//!
//! Made to be cheap where nothing changed and to need little memory where everything did. A file is read in
//! pieces into a reused buffer, hashed, and forgotten; only its metadata stays. What the server lacks is read
//! a second time while the upload is encoded, in buckets of a few megabytes of which few exist at once. The
//! second reading hashes again, so a file that changed in between is noticed and never goes live half old.
//!
//! The alternative, to keep the encoded text from the first reading, saves that second reading at the price of
//! memory in proportion to the site, and gains nothing when nothing changed.

mod body;
mod bucket;
mod cache;
mod error;
mod extras;
mod hash;
mod upload;
mod walk;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use offprint_model::asset::{AssetKey, AssetPath};

pub use error::DeployError;
pub use extras::Extras;
pub use walk::{STORE_NAME, is_no_asset};
pub use watch::until_live;

use crate::api::deployments::NewDeployment;
use crate::api::uploads::UploadSession;
use crate::types::Deployment;

/// Largest asset, in bytes, that the real service takes.
pub const FILE_BYTES_MAX: u64 = 25 * 1024 * 1024;
/// Longest commit message, in bytes, that the real service takes.
pub const COMMIT_MESSAGE_BYTES_MAX: usize = 384;
/// Hashes in one call; the server may limit the body.
const HASHES_PER_CALL: usize = 50_000;

/// What to deploy and how.
#[derive(Clone, Debug)]
pub struct DeployOptions {
    /// The folder.
    pub directory: PathBuf,
    /// Links in the folder lead nowhere but below this directory; absent, anywhere, as with wrangler. For
    /// folders that somebody else has filled.
    pub within: Option<PathBuf>,
    /// The branch; absent, it is production.
    pub branch: Option<String>,
    /// The commit, as far as known.
    pub commit: CommitInfo,
    /// Where keys are remembered from one deployment to the next; absent, every file is read.
    pub cache_dir: Option<PathBuf>,
    /// Largest asset, in bytes, for servers that do not say.
    pub file_bytes_max: u64,
    /// Files hashed at once.
    pub threads: usize,
    /// How long to wait for the deployment to go live once it is made.
    pub patience: Duration,
}

impl DeployOptions {
    /// The usual settings for a folder.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            within: None,
            branch: None,
            commit: CommitInfo::default(),
            cache_dir: None,
            file_bytes_max: FILE_BYTES_MAX,
            threads: std::thread::available_parallelism().map_or(2, usize::from).min(16),
            patience: Duration::from_secs(600),
        }
    }
}

/// The commit that a folder was built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitInfo {
    /// Its hash.
    pub hash: Option<String>,
    /// Its message; cut to what the service takes.
    pub message: Option<String>,
    /// Whether the work tree differed from it.
    pub dirty: Option<bool>,
}

/// How far a deployment is; for progress displays.
#[derive(Clone, Debug)]
pub enum Event {
    /// The folder holds this many assets.
    Found {
        /// How many.
        assets: usize,
    },
    /// One more asset has its key.
    Hashed,
    /// The server said what it lacks.
    Missing {
        /// Assets to upload.
        assets: usize,
        /// Their size.
        bytes: u64,
        /// All assets.
        of: usize,
    },
    /// A bucket arrived.
    Uploaded {
        /// How many assets.
        assets: usize,
        /// Their size.
        bytes: u64,
    },
    /// The deployment exists.
    Created(Box<Deployment>),
    /// The deployment moved on.
    Moved(Box<Deployment>),
    /// Something that a person should know.
    Warning(String),
}

/// Told how far a deployment is. Called from several threads.
pub type Observer = Arc<dyn Fn(Event) + Send + Sync>;

/// A deployment that is live.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// The deployment as last seen.
    pub deployment: Deployment,
    /// Assets in it.
    pub assets: usize,
    /// Assets that were uploaded for it.
    pub uploaded: usize,
    /// Their size.
    pub uploaded_bytes: u64,
}

/// A file with what the server needs to know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAsset {
    /// Its path in the site.
    pub path: AssetPath,
    /// Its key.
    pub key: AssetKey,
    /// Its size in bytes.
    pub size: u64,
}

impl LocalAsset {
    /// Where it lies in the folder that is deployed.
    pub fn file(&self, directory: &Path) -> PathBuf {
        walk::file_of(directory, &self.path)
    }
}

/// Deploys a folder to the session's project and waits until it is live.
///
/// # Errors
/// See [`DeployError`]; nothing is live then, but what was uploaded need not be sent again.
pub async fn deploy(
    session: &UploadSession,
    mut options: DeployOptions,
    observer: Observer,
) -> Result<Deployed, DeployError> {
    options.file_bytes_max = session.file_bytes_max().unwrap_or(options.file_bytes_max);
    let (assets, extras) = scan(&options, session.files_max(), &observer).await?;
    for warning in &extras.warnings {
        observer(Event::Warning(warning.clone()));
    }
    if assets.is_empty() && extras.worker.is_none() {
        return Err(DeployError::Empty(options.directory));
    }

    let unique = bucket::unique(&assets);
    let missing = missing_of(session, &unique).await?;
    let bytes = missing.iter().map(|asset| asset.size).sum();
    observer(Event::Missing { assets: missing.len(), bytes, of: assets.len() });
    let uploaded = upload::upload(session, &options.directory, &missing, &observer).await;
    if matches!(uploaded, Err(DeployError::Changed(_))) {
        // A remembered key may be to blame; the next run shall read everything.
        cache::forget(options.cache_dir.as_deref(), &options.directory);
    }
    uploaded?;
    if !unique.is_empty() {
        refresh(session, &unique, &observer).await;
    }

    let new = new_deployment(&options, extras, &assets);
    let (client, project) = (session.client(), session.project());
    let created = client.create_deployment(project, new).await?;
    observer(Event::Created(Box::new(created.clone())));
    let uploaded = missing.len();
    let deployment = watch::until_live(client, project, created, options.patience, &observer).await?;
    Ok(Deployed { deployment, assets: assets.len(), uploaded, uploaded_bytes: bytes })
}

/// Walks and hashes on threads of its own, so that the runtime stays free.
async fn scan(
    options: &DeployOptions,
    files_max: usize,
    observer: &Observer,
) -> Result<(Arc<[LocalAsset]>, Extras), DeployError> {
    let (options, observer) = (options.clone(), observer.clone());
    let work = move || {
        let extras = Extras::read(&options.directory)?;
        let assets = assets_of(&options, files_max, &observer)?;
        Ok((assets.into(), extras))
    };
    joined(tokio::task::spawn_blocking(work).await)
}

/// The assets of a folder with their keys, in the order of their paths. Reads all of them, so call it from a
/// thread for such work.
///
/// # Errors
/// The folder cannot be read or deployed; see [`DeployError`].
pub fn assets_of(
    options: &DeployOptions,
    files_max: usize,
    observer: &Observer,
) -> Result<Vec<LocalAsset>, DeployError> {
    let paths = walk::walk(&options.directory, options.within.as_deref())?;
    if paths.len() > files_max {
        return Err(DeployError::TooMany { assets: paths.len(), limit: files_max });
    }
    observer(Event::Found { assets: paths.len() });
    hash::hash_all(options, paths, observer)
}

/// The result of a blocking task, its panic passed on.
fn joined<T>(outcome: Result<T, tokio::task::JoinError>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

async fn missing_of<'a>(
    session: &UploadSession,
    unique: &[&'a LocalAsset],
) -> Result<Vec<&'a LocalAsset>, DeployError> {
    let mut lacking = std::collections::HashSet::new();
    for chunk in keys(unique).chunks(HASHES_PER_CALL) {
        lacking.extend(session.check_missing(chunk).await?);
    }
    Ok(unique.iter().copied().filter(|asset| lacking.contains(asset.key.as_str())).collect())
}

/// Prolongs the assets' life at the server. As with wrangler, a failure is no reason to stop.
async fn refresh(session: &UploadSession, unique: &[&LocalAsset], observer: &Observer) {
    for chunk in keys(unique).chunks(HASHES_PER_CALL) {
        if let Err(error) = session.upsert_hashes(chunk).await {
            let text = format!("the server could not note which assets are in use: {error}");
            observer(Event::Warning(text));
        }
    }
}

fn keys<'a>(assets: &[&'a LocalAsset]) -> Vec<&'a AssetKey> {
    assets.iter().map(|asset| &asset.key).collect()
}

fn new_deployment(options: &DeployOptions, extras: Extras, assets: &[LocalAsset]) -> NewDeployment {
    let commit = &options.commit;
    let message = commit.message.as_deref().map(|message| cut(message, COMMIT_MESSAGE_BYTES_MAX).to_owned());
    NewDeployment {
        manifest: manifest(assets),
        branch: options.branch.clone(),
        commit_hash: commit.hash.clone(),
        commit_message: message,
        commit_dirty: commit.dirty,
        headers: extras.headers,
        redirects: extras.redirects,
        worker: extras.worker,
        routes: extras.routes,
    }
}

fn manifest(assets: &[LocalAsset]) -> Bytes {
    let mut text = vec![b'{'];
    for asset in assets {
        if text.len() > 1 {
            text.push(b',');
        }
        body::push_json(&mut text, asset.path.as_str());
        text.push(b':');
        body::push_json(&mut text, asset.key.as_str());
    }
    text.push(b'}');
    text.into()
}

/// The longest beginning of a text within so many bytes.
fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_between_characters() {
        assert_eq!(cut("short", 384), "short");
        assert_eq!(cut("aä", 2), "a");
        assert_eq!(cut("aä", 3), "aä");
    }

    #[test]
    fn the_manifest_escapes_what_json_must() {
        let asset = |path: &str| LocalAsset {
            path: AssetPath::parse(path).unwrap(),
            key: AssetKey::parse("k").unwrap(),
            size: 0,
        };
        let text = manifest(&[asset("a\"b"), asset("ä#.txt")]);
        assert_eq!(text, r#"{"/a\"b":"k","/ä#.txt":"k"}"#.as_bytes());
        assert_eq!(manifest(&[]), "{}".as_bytes());
    }
}
