//! The store as a whole, and its opening.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use offprint_model::secret::Secret;

use crate::blobs::{BlobStore, Blobs, Directory};
use crate::crypt::Keys;
use crate::db::{Db, PostgresUrl, Rows, values};
use crate::error::{CannotOpen, Result, StoreError};
use crate::lock::{CollectionLock, OpeningGuard, blocking};
use crate::migrate::{migrate, migrate_objects};
use crate::tie::{is_tied, tie};

/// Where the store is and how it behaves.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The data directory; made when absent.
    pub data: PathBuf,
    /// Where the metadata is; `None`: SQLite in the data directory.
    pub database: Option<PostgresUrl>,
    /// Whether a deployment may name keys that do not belong to their bytes and path.
    pub admit_foreign_keys: bool,
    /// How long a blob that nothing pins stays, at the least.
    pub blob_grace: Duration,
    /// How many deployments a project may have to be deleted with them; `None`: any number.
    pub project_delete_deployments_max: Option<u64>,
}

impl StoreOptions {
    /// The defaults: SQLite, foreign keys refused, an hour of grace, 100 deployments deleted with a project.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            database: None,
            admit_foreign_keys: false,
            blob_grace: Duration::from_secs(3600),
            project_delete_deployments_max: Some(100),
        }
    }
}

/// The store: a cheap handle, to be cloned.
///
/// What a method has returned successfully is durable: it survives the end of the process and a power cut.
/// A method that changes something does all of it or nothing, also when it fails or its future is dropped.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    options: StoreOptions,
    db: Db,
    objects: Db,
    blobs: Blobs,
    keys: Keys,
    collection: CollectionLock,
}

const DATABASE_FILE: &str = "offprint.db";
const OBJECTS_FILE: &str = "objects.db";
const KEY_ID: &str = "SELECT v FROM setting WHERE k = 'secret_key_id'";
const REMEMBER_KEY_ID: &str = "INSERT INTO setting (k, v) VALUES ('secret_key_id', $1)";
const PING_PATIENCE: Duration = Duration::from_secs(5);
const PING: &str = "SELECT value FROM counter WHERE name = 'routing'";

impl Store {
    /// Whether a data directory holds a store; an operator's mistyped one should not become one.
    pub fn exists(data: &Path) -> bool {
        data.join(DATABASE_FILE).is_file() || is_tied(data)
    }

    /// Opens the store in a data directory, making it when absent and bringing its schema up to date.
    ///
    /// # Errors
    /// `NewerStore`, `ChangedMigration` and `WrongSecretKey` when the directory is not one for this program
    /// or lost its key; `CannotOpen` when the database is not one for this program or directory; `Io` and `Database`
    /// when it cannot be used.
    pub async fn open(options: StoreOptions) -> Result<Self> {
        let data = options.data.clone();
        let (keys, data) = blocking(move || {
            make_private(&data)?;
            Ok((Keys::open(&data)?, data))
        })
        .await?;
        let blobs = Directory::open(data.join("blobs")).await?;
        Self::assemble(options, keys, Arc::new(blobs)).await
    }

    /// Like [`Store::open`], with another place for the blobs than the directory `blobs`.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with_blobs(options: StoreOptions, blobs: Arc<dyn BlobStore>) -> Result<Self> {
        let data = options.data.clone();
        let keys = blocking(move || {
            make_private(&data)?;
            Keys::open(&data)
        })
        .await?;
        Self::assemble(options, keys, blobs).await
    }

    async fn assemble(options: StoreOptions, keys: Keys, blobs: Arc<dyn BlobStore>) -> Result<Self> {
        let opening = OpeningGuard::wait(options.data.join("open.lock")).await?;
        let db = open_database(&options).await?;
        migrate(&db).await?;
        check_key(&db, &keys).await?;
        if options.database.is_some() {
            tie(&options.data, &db).await?;
        }
        let objects = options.data.join("bindings").join(OBJECTS_FILE);
        let objects = Db::open_file(&objects).await?;
        migrate_objects(&objects).await?;
        drop(opening);
        let collection = CollectionLock::new(options.data.join("gc.lock"));
        Ok(Self(Arc::new(Shared { options, db, objects, blobs: Blobs(blobs), keys, collection })))
    }

    /// The key that signs upload tokens. Derived from `secret.key`, so tokens outlive a restart.
    pub fn signing_key(&self) -> &Secret<[u8; 32]> {
        &self.0.keys.signing
    }

    /// Whether the store answers, soon.
    ///
    /// # Errors
    /// `Database` when it does not.
    pub async fn ping(&self) -> Result<()> {
        match tokio::time::timeout(PING_PATIENCE, self.db().one(PING, values![])).await {
            Ok(answered) => answered.map(drop),
            Err(_) => Err(sea_orm::DbErr::Conn(sea_orm::RuntimeErr::Internal("no answer".into())).into()),
        }
    }

    /// The blobs, for reading.
    pub fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.0.options.data
    }

    pub(crate) fn options(&self) -> &StoreOptions {
        &self.0.options
    }

    pub(crate) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(crate) fn objects_db(&self) -> &Db {
        &self.0.objects
    }

    pub(crate) fn blob_store(&self) -> &dyn BlobStore {
        &*self.0.blobs.0
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    pub(crate) fn collection_lock(&self) -> &CollectionLock {
        &self.0.collection
    }
}

async fn open_database(options: &StoreOptions) -> Result<Db> {
    let file = options.data.join(DATABASE_FILE);
    match &options.database {
        Some(_) if file.exists() => Err(CannotOpen::MetadataIsInFile(DATABASE_FILE).into()),
        Some(url) => Db::open_postgres(url).await,
        None if is_tied(&options.data) => Err(CannotOpen::MetadataIsInPostgres.into()),
        None => Db::open_file(&file).await,
    }
}

/// Makes the data directory for nobody else to read: the settings of projects are in there, and bytes that were
/// never published. One that is there already keeps the rights that its owner gave it.
fn make_private(data: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(StoreError::io(data))?;
    let bindings = data.join("bindings");
    DirBuilder::new().recursive(true).mode(0o700).create(&bindings).map_err(StoreError::io(bindings))
}

/// A store whose key file was lost would answer garbage for every secret: refuse it at once.
async fn check_key(db: &Db, keys: &Keys) -> Result<()> {
    let known = |row: Option<crate::db::Row>| row.map(|row| row.get::<String>("v")).transpose();
    if known(db.one(KEY_ID, values![]).await?)?.is_none() {
        let tx = db.write("remember_key").await?;
        if known(tx.one(KEY_ID, values![]).await?)?.is_none() {
            tx.run(REMEMBER_KEY_ID, values![&keys.id]).await?;
            tx.commit().await?;
        }
    }
    match known(db.one(KEY_ID, values![]).await?)? {
        Some(id) if id == keys.id => Ok(()),
        _ => Err(StoreError::WrongSecretKey),
    }
}

/// Runs an operation to its end even when the caller goes away in the middle, as when a client hangs up:
/// its locks then cover all its work on the disk.
pub(crate) async fn to_the_end<T: Send + 'static>(
    operation: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(operation).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Corrupt(format!("a store operation ended early: {error}"))),
    }
}
