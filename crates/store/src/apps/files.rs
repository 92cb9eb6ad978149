//! The files of versions. Each holds its blob, so that a version can be built at any time.

use bytes::Bytes;
use offprint_model::asset::{AssetPath, BlobHash, KeyHasher};
use offprint_model::content_type;

use super::versions::tell;
use crate::assets::{Upload, hash_of};
use crate::clock::Clock;
use crate::db::{Rows, Tx, values};
use crate::error::{Entity, Result, StoreError};
use crate::lists::Reach;
use crate::open::{Store, to_the_end};

/// Files of one version.
pub const VERSION_FILES_MAX: u64 = 20_000;

/// A file of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionFile {
    /// Where it is, with a slash at the beginning.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
}

const LIST: &str = "SELECT path, size FROM version_file WHERE version_seq = $1 ORDER BY path";
const COUNT: &str = "SELECT count(*) AS total FROM version_file WHERE version_seq = $1 AND path <> $2";
/// $2 the path of a file, $3 and $4 between which the paths below it are: `a/` and `a0`, since `0` comes after `/`.
const IN_THE_WAY: &str = "SELECT path FROM version_file
    WHERE version_seq = $1 AND ((path > $3 AND path < $4) OR substr($2, 1, length(path) + 1) = path || '/') LIMIT 1";
const FIND: &str = "SELECT b.hash FROM version_file f JOIN blob b ON b.id = f.blob_id
    WHERE f.version_seq = $1 AND f.path = $2";
const KEY: &str = "SELECT k.blob_id, b.size FROM asset_key k JOIN blob b ON b.id = k.blob_id
    WHERE k.account_seq = $1 AND k.key = $2";
const PUT: &str =
    "INSERT INTO version_file (version_seq, path, blob_id, key, size) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (version_seq, path) DO UPDATE
    SET blob_id = excluded.blob_id, key = excluded.key, size = excluded.size";
const TOUCH: &str = "UPDATE blob SET touched = $3
    WHERE id IN (SELECT blob_id FROM version_file WHERE version_seq = $1 AND path = $2)";
const REMOVE: &str = "DELETE FROM version_file WHERE version_seq = $1 AND path = $2";
const MODIFIED: &str = "UPDATE app_version SET modified = $2 WHERE seq = $1";

impl Store {
    /// The files of a version, by path.
    ///
    /// # Errors
    /// `NotFound(AppVersion)`.
    pub async fn version_files(&self, reach: &Reach, version: &str) -> Result<Vec<VersionFile>> {
        let tx = self.db().read().await?;
        let (_, seq) = self.version_scope(&tx, reach, version).await?;
        let mut files = Vec::new();
        for row in tx.all(LIST, values![seq]).await? {
            let size = u64::try_from(row.get::<i64>("size")?).unwrap_or_default();
            files.push(VersionFile { path: row.get("path")?, size });
        }
        Ok(files)
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// `NotFound(AppVersion)`, `NotFound(File)`.
    pub async fn version_file(&self, reach: &Reach, version: &str, path: &AssetPath) -> Result<Bytes> {
        let tx = self.db().read().await?;
        let (_, seq) = self.version_scope(&tx, reach, version).await?;
        let row = tx.one(FIND, values![seq, path.as_str()]).await?;
        let hash: BlobHash = hash_of(row.ok_or(StoreError::NotFound(Entity::File))?.get("hash")?)?;
        drop(tx);
        self.blobs().read(&hash).await
    }

    /// Writes a file, which may be there already; with `new`, it may not, and without, it must. Durable when this
    /// returns.
    ///
    /// # Errors
    /// `NotFound(AppVersion)`, `NotFound(File)`, `Exists(File)`; `NotDeployable` when the version would have too many, or
    /// a file and a directory of one name.
    pub async fn put_version_file(
        &self,
        reach: &Reach,
        version: &str,
        path: AssetPath,
        bytes: Bytes,
        new: bool,
    ) -> Result<()> {
        let (store, reach, version) = (self.clone(), reach.clone(), version.to_owned());
        to_the_end(async move { store.put_file_now(&reach, &version, &path, bytes, new).await }).await
    }

    async fn put_file_now(
        &self,
        reach: &Reach,
        version: &str,
        path: &AssetPath,
        bytes: Bytes,
        new: bool,
    ) -> Result<()> {
        let tx = self.db().read().await?;
        let (scope, _) = self.version_scope(&tx, reach, version).await?;
        drop(tx);
        let key_hasher = KeyHasher::of_bytes(&bytes);
        let key = key_hasher.key(path.extension());
        let content_type = content_type::of_path(path.as_str()).to_owned();
        let upload = Upload { key: key.clone(), bytes, content_type, key_hasher };
        self.put_assets(&scope.account_scope(), vec![upload]).await?;
        let _guard = self.collection_lock().upload().await?;
        let tx = self.db().write("put_version_file").await?;
        let (scope, seq) = self.version_scope(&tx, reach, version).await?;
        let known = tx.one(FIND, values![seq, path.as_str()]).await?.is_some();
        match (known, new) {
            (true, true) => return Err(StoreError::Exists(Entity::File)),
            (false, false) => return Err(StoreError::NotFound(Entity::File)),
            (false, true) => refuse_in_the_way(&tx, seq, path).await?,
            (true, false) => {}
        }
        let others = tx.one(COUNT, values![seq, path.as_str()]).await?;
        let others = others.map(|row| row.get::<i64>("total")).transpose()?.unwrap_or_default();
        if u64::try_from(others).unwrap_or_default() >= VERSION_FILES_MAX {
            return Err(StoreError::NotDeployable("the version has as many files as it may"));
        }
        let row = tx.one(KEY, values![scope.account_seq, key.as_str()]).await?;
        let row =
            row.ok_or_else(|| StoreError::Corrupt("an asset that was just stored has no key".into()))?;
        let now = Clock::now();
        tx.run(TOUCH, values![seq, path.as_str(), now]).await?;
        let (blob, size): (i64, i64) = (row.get("blob_id")?, row.get("size")?);
        tx.run(PUT, values![seq, path.as_str(), blob, key.as_str(), size]).await?;
        tx.run(MODIFIED, values![seq, now]).await?;
        tell(&tx, &scope, "app_version.updated", version).await?;
        tx.commit().await
    }

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound(AppVersion)`, `NotFound(File)`.
    pub async fn remove_version_file(&self, reach: &Reach, version: &str, path: &AssetPath) -> Result<()> {
        let tx = self.db().write("remove_version_file").await?;
        let (scope, seq) = self.version_scope(&tx, reach, version).await?;
        let now = Clock::now();
        tx.run(TOUCH, values![seq, path.as_str(), now]).await?;
        if tx.run(REMOVE, values![seq, path.as_str()]).await? == 0 {
            return Err(StoreError::NotFound(Entity::File));
        }
        tx.run(MODIFIED, values![seq, now]).await?;
        tell(&tx, &scope, "app_version.updated", version).await?;
        tx.commit().await
    }
}

/// Where a file is, there is no directory, and the other way round: nobody could build such a version.
async fn refuse_in_the_way(tx: &Tx, version: i64, path: &AssetPath) -> Result<()> {
    let (below, behind) = (format!("{}/", path.as_str()), format!("{}0", path.as_str()));
    match tx.one(IN_THE_WAY, values![version, path.as_str(), below, behind]).await? {
        Some(_) => {
            Err(StoreError::NotDeployable("a file cannot be where a directory is, nor below another file"))
        }
        None => Ok(()),
    }
}
