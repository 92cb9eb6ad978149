//! Why a call was refused, and the one place where that becomes an answer.
//!
//! Two messages: what the client reads is the code's own text or a more exact one; what the log keeps is
//! the cause with its whole chain, which no client sees.

use std::borrow::Cow;
use std::error::Error;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use offprint_model::asset::AssetPath;
use offprint_resources::{CreateError, ResourceError};
use offprint_store::{Entity, StoreError};
use offprint_wire::envelope::{Envelope, Fault};
use offprint_wire::error_code::ErrorCode;
use offprint_wire::json::InvalidMember;
use offprint_wire::manifest::InvalidManifest;
use offprint_wire::worker_bundle::InvalidBundle;

use crate::answer;

/// The SDKs retry every 409 and 5xx, Go and Terraform ten times, unless this header says otherwise.
pub(crate) const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// What a handler yields.
pub(crate) type Result<T, E = ApiError> = std::result::Result<T, E>;

/// A refusal.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: ErrorCode,
    detail: Option<Cow<'static, str>>,
    chain: Option<ErrorCode>,
    /// Whether sending the same again may help. Only for faults of ours after which nothing was stored.
    retry: bool,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        Self { code, detail: None, chain: None, retry: false, cause: None }
    }
}

impl ApiError {
    /// A code with a more exact text than its own.
    pub(crate) fn explained(code: ErrorCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: Some(detail.into()), ..code.into() }
    }

    /// A code with what lies behind it.
    pub(crate) fn caused_by(code: ErrorCode, chain: ErrorCode) -> Self {
        Self { chain: Some(chain), ..code.into() }
    }

    /// A fault of ours; nothing was stored.
    pub(crate) fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..ErrorCode::Unknown.into() }
    }

    /// The code, for those who answer otherwise to some.
    pub(crate) const fn code(&self) -> ErrorCode {
        self.code
    }

    fn fault(&self) -> Fault {
        let fault = match &self.detail {
            Some(detail) => Fault::with_message(self.code, detail.clone()),
            None => Fault::new(self.code),
        };
        match self.chain {
            Some(chain) => fault.caused_by(chain),
            None => fault,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Some(cause) = &self.cause {
            tracing::error!(error = chain_of(cause.as_ref()), "the request failed");
        }
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = answer::json(status, &Envelope::<()>::failure(self.fault()));
        if status == StatusCode::CONFLICT || status.is_server_error() {
            let retry = HeaderValue::from_static(if self.retry { "true" } else { "false" });
            response.headers_mut().insert(X_SHOULD_RETRY, retry);
        }
        response
    }
}

/// An error's text with those of its sources.
pub(crate) fn chain_of(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

impl From<InvalidMember> for ApiError {
    fn from(member: InvalidMember) -> Self {
        Self::explained(ErrorCode::InvalidBody, format!("Request body is incorrect: {member}."))
    }
}

impl From<InvalidManifest> for ApiError {
    fn from(error: InvalidManifest) -> Self {
        let code = match error {
            InvalidManifest::TooMany { .. } => ErrorCode::TooManyFiles,
            InvalidManifest::Json(_)
            | InvalidManifest::Path { .. }
            | InvalidManifest::Key { .. }
            | InvalidManifest::Duplicate { .. } => ErrorCode::InvalidManifest,
        };
        Self::explained(code, error.to_string())
    }
}

impl From<InvalidBundle> for ApiError {
    fn from(error: InvalidBundle) -> Self {
        Self::explained(ErrorCode::InvalidWorkerBundle, error.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(entity) => not_found(entity),
            StoreError::Exists(entity) => exists(entity),
            StoreError::TakenElsewhere => ErrorCode::DomainTaken.into(),
            StoreError::DomainsRemain => ErrorCode::DomainsRemain.into(),
            StoreError::TooManyDeployments { .. } => ErrorCode::TooManyDeployments.into(),
            StoreError::MissingAssets { first, total } => Self::explained(
                ErrorCode::AssetsMissing,
                format!(
                    "{total} assets of the manifest were not uploaded: {}. Upload them and deploy again.",
                    names(&first, total)
                ),
            ),
            StoreError::KeyMismatch { first, total } => Self::explained(
                ErrorCode::KeyMismatch,
                format!(
                    "The keys of {total} assets are not those of their content and extension: {}.",
                    names(&first, total)
                ),
            ),
            StoreError::DuplicatePath(_) => {
                Self::explained(ErrorCode::InvalidManifest, format!("The manifest is not valid: {error}."))
            }
            StoreError::DeploymentIsLive => ErrorCode::DeploymentIsLive.into(),
            StoreError::DeploymentIsAliased => ErrorCode::DeploymentIsAliased.into(),
            StoreError::NotRollbackable(why) => Self::explained(ErrorCode::NotRollbackable, why),
            StoreError::SourceFixed(_) => ErrorCode::SourceFixed.into(),
            StoreError::NoSource => ErrorCode::NoSource.into(),
            StoreError::Replayed => ErrorCode::DeliveryReplayed.into(),
            StoreError::NotCancelable => ErrorCode::NotCancelable.into(),
            StoreError::NotApproved => ErrorCode::NotApproved.into(),
            StoreError::NotApprovable(why) => {
                Self::explained(ErrorCode::NotApprovable, format!("The commit cannot be approved: {why}."))
            }
            StoreError::LeaseLost => ErrorCode::Conflict.into(),
            StoreError::Object(refusal) => refusal.into(),
            // The transaction was rolled back or never begun: the client may send the same again.
            StoreError::Injected(_) | StoreError::Database(_) | StoreError::Io { .. } => {
                Self { retry: true, ..Self::internal(error) }
            }
            StoreError::IllegalStages(_)
            | StoreError::Unsealed { .. }
            | StoreError::WrongSecretKey
            | StoreError::NewerStore(_)
            | StoreError::ChangedMigration(_)
            | StoreError::CannotOpen(_)
            // Nothing of the Pages API asks for what these refuse.
            | StoreError::BadCursor(_)
            | StoreError::NotDeployable(_)
            | StoreError::TokenMissing
            | StoreError::KeyReused
            | StoreError::KeyBusy
            | StoreError::Corrupt(_) => Self::internal(error),
        }
    }
}

impl From<CreateError> for ApiError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Registry(error) => error.into(),
            CreateError::Contents(error) => error.into(),
        }
    }
}

impl From<ResourceError> for ApiError {
    fn from(error: ResourceError) -> Self {
        match error {
            // Deleted between the look-up and the call.
            ResourceError::Gone => ErrorCode::Conflict.into(),
            ResourceError::Sqlite(_) | ResourceError::Io { .. } => {
                Self { retry: true, ..Self::internal(error) }
            }
            ResourceError::Store(_) | ResourceError::Corrupt(_) => Self::internal(error),
        }
    }
}

fn not_found(entity: Entity) -> ApiError {
    match entity {
        Entity::Account => ErrorCode::PermissionDenied.into(),
        Entity::Token => ErrorCode::TokenNotFound.into(),
        Entity::Project => ErrorCode::ProjectNotFound.into(),
        Entity::Deployment => ErrorCode::DeploymentNotFound.into(),
        Entity::Domain => ErrorCode::DomainNotFound.into(),
        Entity::DeployHook => ErrorCode::DeployHookNotFound.into(),
        Entity::PullRequest => ErrorCode::PullRequestNotFound.into(),
        Entity::KvNamespace => ErrorCode::KvNamespaceNotFound.into(),
        Entity::D1Database => ErrorCode::D1DatabaseNotFound.into(),
        Entity::R2Bucket => ErrorCode::R2BucketNotFound.into(),
        Entity::Blob | Entity::Binding | Entity::File | Entity::Listed(_) => {
            ApiError::internal(StoreError::NotFound(entity))
        }
    }
}

fn exists(entity: Entity) -> ApiError {
    match entity {
        Entity::Project => ErrorCode::ProjectExists.into(),
        Entity::Domain => ErrorCode::DomainExists.into(),
        Entity::DeployHook => ErrorCode::DeployHookExists.into(),
        Entity::KvNamespace => ErrorCode::KvNamespaceExists.into(),
        Entity::D1Database => ErrorCode::D1DatabaseExists.into(),
        Entity::R2Bucket => ErrorCode::R2BucketExists.into(),
        Entity::Account
        | Entity::Token
        | Entity::Deployment
        | Entity::PullRequest
        | Entity::Blob
        | Entity::Binding
        | Entity::File
        | Entity::Listed(_) => ErrorCode::Conflict.into(),
    }
}

/// The first few paths, for a message.
fn names(first: &[AssetPath], total: usize) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> =
        first.iter().take(SHOWN).map(|path| path.as_str().chars().take(200).collect()).collect();
    let more = total.saturating_sub(shown.len());
    let list = shown.join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry_header(error: ApiError) -> Option<String> {
        let response = error.into_response();
        response.headers().get(X_SHOULD_RETRY).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn final_conflicts_and_faults_say_so() {
        assert_eq!(retry_header(ErrorCode::ProjectExists.into()), Some("false".into()));
        assert_eq!(retry_header(ErrorCode::OutcomeUnknown.into()), Some("false".into()));
        assert_eq!(retry_header(StoreError::Corrupt("x".into()).into()), Some("false".into()));
        assert_eq!(retry_header(StoreError::Injected("x".into()).into()), Some("true".into()));
        assert_eq!(retry_header(ErrorCode::ProjectNotFound.into()), None);
    }

    #[test]
    fn missing_assets_are_named_but_not_all() {
        let paths: Vec<AssetPath> = (0..10).map(|n| AssetPath::parse(&format!("/{n}")).unwrap()).collect();
        assert_eq!(names(&paths, 12), "/0, /1, /2, /3, /4 and 7 more");
        assert_eq!(names(&paths[..2], 2), "/0, /1");
    }

    #[test]
    fn a_cause_is_logged_and_not_shown() {
        let error: ApiError = StoreError::Corrupt("the secret place".into()).into();
        assert!(!serde_json::to_string(&error.fault()).unwrap().contains("secret place"));
        assert!(chain_of(error.cause.unwrap().as_ref()).contains("the secret place"));
    }
}
