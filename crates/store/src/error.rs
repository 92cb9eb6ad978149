//! What can go wrong in the store, by what a caller can do about it.

use std::path::PathBuf;

use offprint_model::asset::{AssetPath, BlobHash};
use offprint_model::listing;

use crate::lists::BadCursor;

/// A thing that is looked for by name or id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity {
    /// An account.
    Account,
    /// An API token.
    Token,
    /// A project.
    Project,
    /// A deployment.
    Deployment,
    /// A custom domain.
    Domain,
    /// The bytes of an asset, a Worker or a site document.
    Blob,
    /// A deploy hook.
    DeployHook,
    /// A pull request.
    PullRequest,
    /// A workspace, app, build or whatever else the Deploys API lists.
    Listed(listing::Entity),
    /// A file of an app's version.
    File,
    /// What a binding of a Function leads to.
    Binding,
    /// A KV namespace.
    KvNamespace,
    /// A D1 database.
    D1Database,
    /// An R2 bucket.
    R2Bucket,
}

impl Entity {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Token => "token",
            Self::Project => "project",
            Self::Deployment => "deployment",
            Self::Domain => "domain",
            Self::Blob => "blob",
            Self::DeployHook => "deploy hook",
            Self::PullRequest => "pull request",
            Self::Listed(entity) => entity.name(),
            Self::File => "file",
            Self::Binding => "binding",
            Self::KvNamespace => "KV namespace",
            Self::D1Database => "D1 database",
            Self::R2Bucket => "R2 bucket",
        }
    }
}

/// Why the store refused or failed. Callers branch on the variant, never on the text.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such thing, or not in this account or project.
    #[error("there is no such {}", .0.as_str())]
    NotFound(Entity),
    /// There is one of this name already.
    #[error("there is a {} of this name already", .0.as_str())]
    Exists(Entity),
    /// The domain is active in another project.
    #[error("the domain is active in another project")]
    TakenElsewhere,
    /// The project still has custom domains.
    #[error("the project has custom domains; remove them first")]
    DomainsRemain,
    /// The project has more deployments than may vanish at once.
    #[error("the project has {count} deployments, and {max} at the most are deleted with it")]
    TooManyDeployments {
        /// How many there are.
        count: u64,
        /// How many there may be.
        max: u64,
    },
    /// The manifest names keys that were not uploaded into this account.
    #[error("{total} assets have not been uploaded")]
    MissingAssets {
        /// The first of their paths, in manifest order.
        first: Vec<AssetPath>,
        /// How many there are.
        total: usize,
    },
    /// Keys of the manifest do not belong to the uploaded bytes and the path's extension.
    #[error("the keys of {total} assets do not match their content")]
    KeyMismatch {
        /// The first of their paths, in manifest order.
        first: Vec<AssetPath>,
        /// How many there are.
        total: usize,
    },
    /// The manifest names one path twice.
    #[error("the manifest names {0} more than once")]
    DuplicatePath(AssetPath),
    /// The deployment is the project's live one.
    #[error("the deployment is live in production")]
    DeploymentIsLive,
    /// A branch alias leads to the deployment, and the deletion was not forced.
    #[error("a branch alias leads to the deployment")]
    DeploymentIsAliased,
    /// The deployment cannot be rolled back to; the text says why.
    #[error("{0}")]
    NotRollbackable(&'static str),
    /// A project's repository is fixed when the project is made.
    #[error(transparent)]
    SourceFixed(#[from] offprint_model::project::SourceFixed),
    /// The project is not built from a repository.
    #[error("the project has no source repository")]
    NoSource,
    /// The webhook call was heard before.
    #[error("this delivery was heard before")]
    Replayed,
    /// The cursor is not one, or of another list.
    #[error("the cursor {0}")]
    BadCursor(#[from] BadCursor),
    /// The build cannot be deployed, or the version not be built; the text says why.
    #[error("{0}")]
    NotDeployable(&'static str),
    /// A target at another server needs a token.
    #[error("a target at another server needs its apiToken")]
    TokenMissing,
    /// The same key came with another request.
    #[error("this key was used for another request")]
    KeyReused,
    /// The first request with this key has not been answered yet.
    #[error("the first request with this key is still under way")]
    KeyBusy,
    /// The deployment has ended.
    #[error("the deployment has ended and cannot be canceled")]
    NotCancelable,
    /// A commit of a fork is to be built, and nobody has approved this very commit.
    #[error("the commit comes from a fork and was not approved")]
    NotApproved,
    /// The commit cannot be approved; the text says why.
    #[error("{0}")]
    NotApprovable(&'static str),
    /// Somebody else has the job now, or it has ended or been deleted. Stop working on it.
    #[error("the lease on the job is lost")]
    LeaseLost,
    /// The stages do not follow from the stored ones.
    #[error("{0}")]
    IllegalStages(&'static str),
    /// Content that a deployment pins is not in the blob store.
    #[error("{total} blobs of the site are not stored, the first is {first:?}")]
    Unsealed {
        /// The first of them.
        first: BlobHash,
        /// How many there are.
        total: usize,
    },
    /// The metadata was written with another secret key than the one in `secret.key`.
    #[error("the file secret.key does not belong to this store; restore the right one")]
    WrongSecretKey,
    /// The metadata was written by a newer version of this program.
    #[error("the store has schema version {0}, made by a newer version of this program")]
    NewerStore(u32),
    /// A migration that ran in the past differs from the one in this program.
    #[error("migration {0} differs from the one that made this store")]
    ChangedMigration(u32),
    /// The metadata database cannot be used.
    #[error(transparent)]
    CannotOpen(#[from] CannotOpen),
    /// R2's rules do not allow it.
    #[error(transparent)]
    Object(#[from] offprint_model::object::R2Refusal),
    /// A failure that a test asked for; names the step.
    #[error("injected failure at {0}")]
    Injected(String),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sea_orm::DbErr),
    /// The disk failed.
    #[error("cannot access {}", path.display())]
    Io {
        /// What was accessed.
        path: PathBuf,
        /// How it failed.
        source: std::io::Error,
    },
    /// Stored data breaks its own rules: a bug or a damaged disk.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
}

/// Why the metadata database cannot be used, for its operator.
#[derive(Debug, thiserror::Error)]
pub enum CannotOpen {
    /// It is not reached, or lets nobody in.
    #[error("cannot connect to {database}")]
    Database {
        /// The database, without the password.
        database: String,
        /// How that failed.
        source: sqlx::Error,
    },
    /// Nobody answers.
    #[error("{database} has not answered for {seconds} s")]
    Silent {
        /// The database, without the password.
        database: String,
        /// For how long it was waited.
        seconds: u64,
    },
    /// The server is too old.
    #[error("the server has PostgreSQL {found}; version {least} or newer is needed")]
    OldPostgres {
        /// Its version.
        found: String,
        /// The oldest that is good enough.
        least: i32,
    },
    /// The database does not hold every text.
    #[error("the database has the encoding {0}; make one with the encoding UTF8")]
    Encoding(String),
    /// Nothing can be written there.
    #[error("{0} is a standby, where nothing can be written; name the primary server")]
    Standby(String),
    /// The role may not make tables.
    #[error(
        "the role may not make or change tables; let it own the database, or grant it CREATE on the schema"
    )]
    NoRights(#[source] sea_orm::DbErr),
    /// The directory holds a store whose metadata is in SQLite.
    #[error(
        "the metadata of this directory is in its file {0}, and there is no move to PostgreSQL yet; name another directory"
    )]
    MetadataIsInFile(&'static str),
    /// The directory holds a store whose metadata is in PostgreSQL.
    #[error("the metadata of this directory is in PostgreSQL; name the database")]
    MetadataIsInPostgres,
    /// The directory holds what another database tells of.
    #[error("the database is not the one of this directory: its metadata is in another")]
    OtherDatabase,
}

impl StoreError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// The result of a store call.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
