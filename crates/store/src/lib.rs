//! The memory of Offprint: metadata in SQLite or PostgreSQL, blobs in a directory.
//!
//! Knows neither HTTP, nor wire shapes, nor what a stage means. [`Store`] is the door; its docs state the
//! promises. The receipts [`ProjectScope`], [`Lease`], [`VersionLease`] and [`Sealed`] are made here and nowhere else.

mod open;

mod tokens;

mod api_keys;
mod apps;
mod assets;
mod builds;
mod deployments;
mod domains;
mod events;
mod feedback;
mod functions;
mod history;
mod idempotency;
mod jobs;
mod lists;
mod objects;
mod projects;
mod resources;
mod routing;
mod source;
mod variants;
mod webhooks;

mod gc;
pub mod invariants;
mod operator;

pub mod blobs;
mod clock;
pub mod compress;
mod crypt;
mod db;
mod error;
pub mod failpoints;
mod lock;
mod migrate;
mod page;
mod public_id;
mod site;
mod sql;
mod stored;
mod tie;
mod wake;

pub use api_keys::NewApiKey;
pub use apps::{
    AppPatch, DeployWish, NewAppFields, Retention, SourceFile, Target, VERSION_FILES_MAX, VersionFile,
    VersionLease, VersionWork,
};
pub use assets::{PutReport, Upload};
pub use blobs::{BlobDraft, Blobs, Variants};
pub use builds::NewBuild;
pub use clock::Clock;
pub use db::{BadPostgresUrl, PostgresUrl};
pub use deployments::{LogTail, NewContent, NewDeployment, UploadedConfiguration};
pub use error::{CannotOpen, Entity, Result, StoreError};
pub use events::{Actor, Via};
pub use feedback::{FeedbackId, FeedbackItem};
pub use functions::FunctionsOf;
pub use gc::Collected;
pub use idempotency::Repeated;
pub use jobs::{Claim, JobKind, Lease, PagesTarget, Sealed, StepReport, Verified, Work};
pub use lists::{
    BadCursor, COUNTED_MAX, Deleted, ListPage, ListQuery, Listing, PAGE_ROWS_MAX, Place, Reach, SitePlace,
    Total,
};
pub use objects::{
    BucketSize, CompletedPart, NewObject, NewPart, ObjectDescription, ObjectList, ObjectPage, ObjectParts,
    ObjectPosition,
};
pub use open::{Store, StoreOptions};
pub use operator::SoleWorker;
pub use page::{Listed, Page};
pub use projects::{NewProject, ProjectScope};
pub use resources::{Resource, ResourceOrder};
pub use routing::{Predecessor, ProjectRoutes, RoutedDeployment, RoutingUpdate};
pub use site::{ShortId, SiteDocument, SiteHash, WorkerKind, WorkerRef};
pub use source::{
    Delivery, DeployHook, HookTarget, PolledProject, PullRequest, PullRequestRow, SourceCredentials,
    SourceCredentialsPatch, WebhookTarget,
};
pub use tokens::{Account, AccountScope, Bootstrap, Denied, Permission, Principal, Token};
pub use variants::VariantWork;
pub use wake::Wake;
pub use webhooks::{SubscriptionSeq, WEBHOOKS_CALLED_MAX, WebhookCall, WebhookPatch};
