//! Why a call was refused, and the one place where that becomes an answer.

use std::borrow::Cow;
use std::error::Error;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use offprint_model::listing::Entity as Listed;
use offprint_store::{Entity, StoreError};
use offprint_wire::deploys::problem::{ProblemBody, ProblemCode, ProblemDetail, ProblemError};
use offprint_wire::json::InvalidMember;

use crate::error::chain_of;

/// What a handler yields.
pub(super) type Result<T, E = Problem> = std::result::Result<T, E>;

/// A refusal.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    code: ProblemCode,
    message: Cow<'static, str>,
    details: Vec<ProblemDetail>,
}

impl Problem {
    pub(super) fn new(code: ProblemCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), details: Vec::new() }
    }

    /// There is no such thing, or the caller may not see it: which of the two is not told.
    pub(super) fn not_found(what: Listed) -> Self {
        let message = match what {
            Listed::Workspace => "There is no workspace here in which this API key may do that.".into(),
            what => format!("There is no {} of this id, or this API key may not see it.", what.name()),
        };
        Self::new(ProblemCode::NotFound, message)
    }

    /// For `map_err`: what is not found is told with the member of the body that names it.
    pub(super) fn naming(members: &'static [(Listed, &'static str)]) -> impl Fn(StoreError) -> Self {
        move |error| {
            let StoreError::NotFound(Entity::Listed(what)) = error else { return error.into() };
            let Some((_, path)) = members.iter().find(|(named, _)| *named == what) else {
                return error.into();
            };
            let rule = format!("is the id of no {} that this API key may see", what.name());
            Self::with_detail(ProblemCode::NotFound, path, rule)
        }
    }

    /// A parameter or a member breaks a rule.
    pub(super) fn at(path: &str, rule: impl Into<String>) -> Self {
        InvalidMember::new(path, rule).into()
    }

    /// A member is well formed, and what it asks for cannot be done.
    pub(super) fn unprocessable(path: &str, why: impl Into<String>) -> Self {
        Self::with_detail(ProblemCode::Unprocessable, path, why)
    }

    /// There is one already that has what this member says.
    pub(super) fn conflict(path: &str, why: impl Into<String>) -> Self {
        Self::with_detail(ProblemCode::Conflict, path, why)
    }

    fn with_detail(code: ProblemCode, path: &str, why: impl Into<String>) -> Self {
        let why = why.into();
        let message = Cow::Owned(format!("{path} {why}"));
        Self { code, message, details: vec![ProblemDetail { path: path.to_owned(), message: why }] }
    }

    /// A fault of ours.
    pub(super) fn internal(cause: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = chain_of(cause), "the request failed");
        Self::new(
            ProblemCode::Internal,
            "The server made a mistake; its operator finds the reason in its log.",
        )
    }

    /// The answer, which names the request.
    pub(super) fn answer(&self, request_id: &str) -> Response {
        let error =
            ProblemError { code: self.code.as_str(), message: &self.message, details: self.details.clone() };
        let body = serde_json::to_vec(&ProblemBody { error, request_id }).unwrap_or_default();
        let json = HeaderValue::from_static("application/json");
        let mut response = (self.status(), [(header::CONTENT_TYPE, json)], body).into_response();
        if self.code == ProblemCode::TooManyRequests {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The body is written where the request's id is known, see [`super::around`].
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<InvalidMember> for Problem {
    fn from(member: InvalidMember) -> Self {
        let message = Cow::Owned(member.to_string());
        Self { code: ProblemCode::BadRequest, message, details: vec![member.into()] }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(Entity::Blob) => Self::internal(&error),
            StoreError::NotFound(Entity::Listed(what)) => Self::not_found(what),
            StoreError::NotFound(what) => {
                Self::new(ProblemCode::NotFound, format!("There is no such {}.", what.as_str()))
            }
            StoreError::BadCursor(why) => Self::at("after", format!("{why}")),
            StoreError::Exists(_)
            | StoreError::NotCancelable
            | StoreError::TakenElsewhere
            | StoreError::DomainsRemain
            | StoreError::TooManyDeployments { .. }
            | StoreError::LeaseLost
            | StoreError::KeyBusy => Self::new(ProblemCode::Conflict, sentence(&error)),
            StoreError::KeyReused => Self::new(ProblemCode::IdempotencyKeyReused, sentence(&error)),
            StoreError::TokenMissing => {
                Self::unprocessable("target.apiToken", "is needed for another server")
            }
            StoreError::NotDeployable(_)
            | StoreError::MissingAssets { .. }
            | StoreError::KeyMismatch { .. }
            | StoreError::DuplicatePath(_)
            | StoreError::DeploymentIsLive
            | StoreError::DeploymentIsAliased
            | StoreError::NotRollbackable(_)
            | StoreError::SourceFixed(_)
            | StoreError::NoSource
            | StoreError::Object(_)
            | StoreError::Replayed
            | StoreError::NotApproved
            | StoreError::NotApprovable(_) => Self::new(ProblemCode::Unprocessable, sentence(&error)),
            StoreError::IllegalStages(_)
            | StoreError::Unsealed { .. }
            | StoreError::WrongSecretKey
            | StoreError::NewerStore(_)
            | StoreError::ChangedMigration(_)
            | StoreError::CannotOpen(_)
            | StoreError::Injected(_)
            | StoreError::Database(_)
            | StoreError::Io { .. }
            | StoreError::Corrupt(_) => Self::internal(&error),
        }
    }
}

/// An error's text with a capital letter and a full stop.
fn sentence(error: &StoreError) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}
