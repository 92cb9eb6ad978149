//! What can go wrong between us and an API: a kind to act on, the API's own words, and what to do next.

use std::fmt;

pub use offprint_wire::envelope::Fault;
pub use offprint_wire::error_code::ErrorCode;

/// What a caller can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The address of the API, or a name that belongs into it, cannot be used.
    BadAddress,
    /// No connection came about.
    Unreachable,
    /// The connection broke while the call was under way.
    Interrupted,
    /// No answer in time.
    TimedOut,
    /// The token is missing, unknown or expired.
    Unauthorized,
    /// The token may not do this.
    Forbidden,
    /// No such project, deployment, token or path.
    NotFound,
    /// It exists already, or something changed at the same time.
    Conflict,
    /// The request was refused as wrong.
    Rejected,
    /// Too many requests.
    TooManyRequests,
    /// The server failed.
    ServerFault,
    /// The answer is not one of a Pages API.
    Malformed,
}

/// A call that did not succeed.
#[derive(Debug)]
pub struct ClientError {
    kind: ErrorKind,
    call: String,
    status: Option<u16>,
    messages: Vec<Fault>,
    detail: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ClientError {
    /// A failure on our side of the wire.
    pub(crate) fn local(kind: ErrorKind, call: &str, detail: impl Into<String>) -> Self {
        let detail = Some(detail.into());
        Self { kind, call: call.to_owned(), status: None, messages: Vec::new(), detail, source: None }
    }

    /// A failure of the connection.
    pub(crate) fn transport(call: &str, address: &str, error: reqwest::Error) -> Self {
        let kind = if error.is_builder() {
            ErrorKind::BadAddress
        } else if error.is_connect() {
            ErrorKind::Unreachable
        } else if error.is_timeout() {
            ErrorKind::TimedOut
        } else {
            ErrorKind::Interrupted
        };
        let detail = match kind {
            ErrorKind::BadAddress => "the address cannot be used".to_owned(),
            ErrorKind::Unreachable => format!("no connection to {address}"),
            ErrorKind::TimedOut => format!("no answer in time from {address}"),
            _ => format!("the connection to {address} broke"),
        };
        // The address is in our own text already.
        let source = Some(error.without_url().into());
        Self { detail: Some(detail), source, ..Self::local(kind, call, "") }
    }

    /// A refusal in the API's own words.
    pub(crate) fn refused(call: &str, status: u16, messages: Vec<Fault>) -> Self {
        let kind = kind_of(status, messages.first().map(|m| m.code));
        Self { kind, call: call.to_owned(), status: Some(status), messages, detail: None, source: None }
    }

    /// An answer that is not an envelope.
    pub(crate) fn malformed(call: &str, status: u16, detail: impl Into<String>) -> Self {
        // A proxy in front of the API answers 502 and the like in its own words: that is no strange API.
        let kind = match status {
            200..=299 => ErrorKind::Malformed,
            300..=399 => ErrorKind::BadAddress,
            _ => match kind_of(status, None) {
                ErrorKind::Rejected => ErrorKind::Malformed,
                kind => kind,
            },
        };
        let detail = Some(detail.into());
        Self { kind, call: call.to_owned(), status: Some(status), messages: Vec::new(), detail, source: None }
    }

    /// What a caller can act on.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The HTTP status, when there was an answer.
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// The API's code of its first error.
    pub fn code(&self) -> Option<u32> {
        self.messages.first().map(|m| m.code)
    }

    /// Whether the API's first error is this one.
    pub fn is(&self, code: ErrorCode) -> bool {
        self.code() == Some(code.number())
    }

    /// All errors as the API worded them.
    pub fn messages(&self) -> &[Fault] {
        &self.messages
    }

    /// What to do next, for people.
    pub const fn advice(&self) -> Option<&'static str> {
        Some(match self.kind {
            ErrorKind::BadAddress => "check the API's address; it ends in /client/v4",
            ErrorKind::Unreachable => "is the server running, and is the API's address right?",
            ErrorKind::Interrupted | ErrorKind::TimedOut => {
                "try again; what was uploaded so far is kept and not sent twice"
            }
            ErrorKind::Unauthorized => "check the API token: it may be mistyped, expired or revoked",
            ErrorKind::Forbidden => "use a token that is for this account and has the permission Pages Write",
            ErrorKind::TooManyRequests => "wait a little, then try again",
            ErrorKind::ServerFault => "try again; if it stays, look into the server's log",
            ErrorKind::Malformed => "is this the address of a Pages API? It ends in /client/v4",
            ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Rejected => return None,
        })
    }
}

/// The code decides before the status: the real service is careless with statuses.
fn kind_of(status: u16, code: Option<u32>) -> ErrorKind {
    let known = ErrorCode::ALL.iter().copied().find(|known| Some(known.number()) == code);
    match (known, status) {
        (Some(ErrorCode::ProjectNotFound | ErrorCode::DeploymentNotFound | ErrorCode::DomainNotFound), _) => {
            ErrorKind::NotFound
        }
        (Some(ErrorCode::InvalidApiToken | ErrorCode::MissingCredentials), _) => ErrorKind::Unauthorized,
        (Some(ErrorCode::AuthorizationFailed), _) | (_, 401) => ErrorKind::Unauthorized,
        (Some(ErrorCode::ProjectExists), _) | (_, 409) => ErrorKind::Conflict,
        (_, 403) => ErrorKind::Forbidden,
        (_, 404) => ErrorKind::NotFound,
        (_, 408) => ErrorKind::TimedOut,
        (_, 429) => ErrorKind::TooManyRequests,
        (Some(ErrorCode::Unknown), _) | (_, 500..) => ErrorKind::ServerFault,
        _ => ErrorKind::Rejected,
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.messages.is_empty() {
            f.write_str(self.detail.as_deref().unwrap_or("refused without a reason"))?;
            if let Some(status) = self.status {
                write!(f, " [status {status}]")?;
            }
        }
        for (n, message) in self.messages.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(f, "{separator}{} [code: {}]", message.message.trim_end(), message.code)?;
        }
        write!(f, " ({})", self.call)
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: ErrorCode) -> ClientError {
        ClientError::refused("GET x", status, vec![Fault::with_message(code, "No.")])
    }

    #[test]
    fn the_code_decides_before_the_status() {
        assert_eq!(refused(400, ErrorCode::ProjectNotFound).kind(), ErrorKind::NotFound);
        assert_eq!(refused(400, ErrorCode::MissingCredentials).kind(), ErrorKind::Unauthorized);
        assert_eq!(refused(400, ErrorCode::ProjectExists).kind(), ErrorKind::Conflict);
        assert_eq!(refused(400, ErrorCode::InvalidListOptions).kind(), ErrorKind::Rejected);
        // One number for "who are you" and "you may not": there the status tells.
        assert_eq!(refused(401, ErrorCode::AuthenticationError).kind(), ErrorKind::Unauthorized);
        assert_eq!(refused(403, ErrorCode::PermissionDenied).kind(), ErrorKind::Forbidden);
    }

    #[test]
    fn the_text_holds_the_words_the_code_and_the_call() {
        assert_eq!(refused(404, ErrorCode::ProjectNotFound).to_string(), "No. [code: 8000007] (GET x)");
        let proxy = ClientError::malformed("GET x", 502, "the answer is not JSON: <html>");
        assert_eq!(proxy.to_string(), "the answer is not JSON: <html> [status 502] (GET x)");
        assert_eq!(proxy.kind(), ErrorKind::ServerFault);
    }
}
