//! Refusals of the Deploys API.

use serde::Serialize;

use crate::json::InvalidMember;

/// The kinds of refusals, each with its status and its name on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemCode {
    /// The request breaks a rule; the details say where.
    BadRequest,
    /// There is no token, or it is not good.
    Unauthorized,
    /// The token may only read.
    Forbidden,
    /// There is no such thing, or the caller may not see it.
    NotFound,
    /// The path takes other methods.
    MethodNotAllowed,
    /// It is in a state in which this cannot be done, or there is one already.
    Conflict,
    /// The `Idempotency-Key` came with another request before.
    IdempotencyKeyReused,
    /// The body is too long.
    PayloadTooLarge,
    /// The request is well formed, and cannot be done.
    Unprocessable,
    /// There are too many at once; later there may not be.
    TooManyRequests,
    /// The fault is ours.
    Internal,
}

impl ProblemCode {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::BadRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::IdempotencyKeyReused,
        Self::PayloadTooLarge,
        Self::Unprocessable,
        Self::TooManyRequests,
        Self::Internal,
    ];

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict | Self::IdempotencyKeyReused => 409,
            Self::PayloadTooLarge => 413,
            Self::Unprocessable => 422,
            Self::TooManyRequests => 429,
            Self::Internal => 500,
        }
    }

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::PayloadTooLarge => "payload_too_large",
            Self::Unprocessable => "unprocessable",
            Self::TooManyRequests => "too_many_requests",
            Self::Internal => "internal",
        }
    }
}

/// The body of a refusal.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProblemBody<'a> {
    /// What is wrong.
    pub error: ProblemError<'a>,
    /// The request, to be found in the server's log.
    pub request_id: &'a str,
}

/// What is wrong.
#[derive(Clone, Debug, Serialize)]
pub struct ProblemError<'a> {
    /// The kind.
    pub code: &'static str,
    /// For people.
    pub message: &'a str,
    /// Where it is.
    pub details: Vec<ProblemDetail>,
}

/// One place that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProblemDetail {
    /// The parameter, or the path in the body, such as `filter.AND[0].status`.
    pub path: String,
    /// The rule it breaks.
    pub message: String,
}

impl From<InvalidMember> for ProblemDetail {
    fn from(member: InvalidMember) -> Self {
        Self { path: member.path, message: member.rule }
    }
}
