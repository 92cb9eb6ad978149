//! Who sends a webhook: which forge speaks, and whether it proves to be the project's.
//!
//! GitHub, Forgejo and Gitea sign the body with HMAC-SHA-256. GitLab shows the secret itself in a header.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::{constant_time, hmac};
use http::HeaderMap;
use offprint_model::secret::Secret;
use offprint_model::source::SourceKind;
use offprint_store::Delivery;
use offprint_wire::error_code::ErrorCode;
use offprint_wire::webhook::Dialect;

use crate::error::{ApiError, Result};

/// What the headers of a webhook say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sender {
    /// How the forge speaks.
    pub(super) dialect: Dialect,
    /// What happened, in the forge's words.
    pub(super) event: String,
    /// The forge's id of the call; not signed.
    delivery: Option<String>,
    proof: Proof,
}

/// What shows that a call comes from the project's forge.
#[derive(Debug, PartialEq, Eq)]
enum Proof {
    /// The HMAC-SHA-256 of the body.
    Signature(Vec<u8>),
    /// The secret.
    Token(Vec<u8>),
}

/// An id is a UUID. A longer one is only cut, since the forge decides.
const DELIVERY_CHARS_MAX: usize = 200;

/// The headers that name the event, with the dialect. Forgejo and Gitea send GitHub's, too, so theirs come first.
const EVENTS: [(&str, Dialect); 4] = [
    ("x-forgejo-event", Dialect::Forgejo),
    ("x-gitea-event", Dialect::Forgejo),
    ("x-gitlab-event", Dialect::Gitlab),
    ("x-github-event", Dialect::Github),
];

impl Sender {
    /// Reads the headers of a call about a repository of this kind.
    ///
    /// # Errors
    /// `InvalidWebhook` when another forge speaks; `InvalidSignature` when there is no proof that could be right.
    pub(super) fn of(headers: &HeaderMap, kind: SourceKind) -> Result<Self> {
        let expected = match kind {
            SourceKind::Github => Some(Dialect::Github),
            SourceKind::Gitlab => Some(Dialect::Gitlab),
            SourceKind::Forgejo | SourceKind::Gitea => Some(Dialect::Forgejo),
            SourceKind::Git => None,
        };
        let fits = |dialect: Dialect| expected.is_none_or(|expected| expected == dialect);
        let spoken = EVENTS.iter().filter(|(_, dialect)| fits(*dialect));
        let found = spoken.filter_map(|(name, dialect)| Some((text(headers, name)?, *dialect))).next();
        let (event, dialect) = found.ok_or_else(|| silent(expected))?;
        let proof = Proof::of(headers, dialect).ok_or(ErrorCode::InvalidSignature)?;
        let delivery = delivery_headers(dialect).iter().find_map(|name| text(headers, name));
        let delivery = delivery.map(|id| id.chars().take(DELIVERY_CHARS_MAX).collect());
        Ok(Self { dialect, event: event.to_owned(), delivery, proof })
    }

    /// Whether the call was made by somebody who knows the secret.
    pub(super) fn is_genuine(&self, secret: &Secret<String>, body: &[u8]) -> bool {
        let secret = secret.expose().as_bytes();
        match &self.proof {
            Proof::Signature(signature) => {
                hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), body, signature).is_ok()
            }
            // Hashes have one length, whatever that of the secret is.
            Proof::Token(token) => {
                let (shown, ours) = (digest(&SHA256, token), digest(&SHA256, secret));
                constant_time::verify_slices_are_equal(shown.as_ref(), ours.as_ref()).is_ok()
            }
        }
    }

    /// By what the call is known again. What is signed is new in every call, since it holds times. GitLab's bodies
    /// hold none: two pushes there and back have the same, so there the id counts, and with it the body.
    pub(super) fn delivery(&self, body: &[u8]) -> Delivery {
        let of_body = digest(&SHA256, body);
        let id = self.delivery.clone().unwrap_or_default();
        let digest = match &self.proof {
            Proof::Signature(_) => of_body,
            Proof::Token(_) => digest(&SHA256, &[of_body.as_ref(), id.as_bytes()].concat()),
        };
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        let id = match (&self.proof, id.is_empty()) {
            (Proof::Signature(_), false) => id,
            _ => hex(&bytes),
        };
        Delivery { id, digest: bytes }
    }
}

impl Proof {
    fn of(headers: &HeaderMap, dialect: Dialect) -> Option<Self> {
        let bare = |name| text(headers, name).and_then(unhex);
        let prefixed = || text(headers, "x-hub-signature-256")?.strip_prefix("sha256=").and_then(unhex);
        match dialect {
            Dialect::Github => prefixed().map(Self::Signature),
            Dialect::Forgejo => {
                let own = bare("x-forgejo-signature").or_else(|| bare("x-gitea-signature"));
                own.or_else(prefixed).map(Self::Signature)
            }
            Dialect::Gitlab => {
                headers.get("x-gitlab-token").map(|token| Self::Token(token.as_bytes().to_vec()))
            }
        }
    }
}

const fn delivery_headers(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Github => &["x-github-delivery"],
        Dialect::Gitlab => &["idempotency-key", "x-gitlab-event-uuid"],
        Dialect::Forgejo => &["x-forgejo-delivery", "x-gitea-delivery"],
    }
}

fn silent(expected: Option<Dialect>) -> ApiError {
    let header = match expected {
        Some(Dialect::Github) => "X-GitHub-Event",
        Some(Dialect::Gitlab) => "X-Gitlab-Event",
        Some(Dialect::Forgejo) => "X-Forgejo-Event or X-Gitea-Event",
        None => "X-GitHub-Event, X-Gitlab-Event, X-Forgejo-Event or X-Gitea-Event",
    };
    let message = format!("The webhook is not one of the project's forge: it has no header {header}.");
    ApiError::explained(ErrorCode::InvalidWebhook, message)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 64 hex digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..32).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests;
