//! The upload token: a JWT for the three asset calls of one project.
//!
//! Pages API, "The upload JWT". Clients read `exp` and `max_file_count_allowed` without verifying; the
//! account and the project are for us. It lives for hours and is verified with leeway: a client whose
//! clock calls it expired would ask for new ones for ever.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use offprint_model::id::{AccountId, ProjectId};
use offprint_model::secret::Secret;
use offprint_model::time::Timestamp;
use offprint_store::ProjectScope;
use serde::{Deserialize, Serialize};

use crate::error::{ApiError, Result};
use crate::state::Limits;

const LIFETIME_S: u64 = 2 * 60 * 60;
const LEEWAY_S: u64 = 5 * 60;
/// Keeps these tokens apart from any other that the same key may sign one day.
const AUDIENCE: &str = "offprint:assets";

#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    account: String,
    project: String,
    iat: u64,
    exp: u64,
    max_file_count_allowed: u64,
    /// Ours: wrangler has its limit built in, `offprint deploy` asks the server.
    max_file_bytes_allowed: u64,
}

/// Makes and checks upload tokens.
pub(crate) struct UploadTokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

/// What a good upload token says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UploadGrant {
    pub(crate) account: AccountId,
    pub(crate) project: ProjectId,
    pub(crate) files_max: usize,
}

impl UploadTokens {
    pub(crate) fn new(key: &Secret<[u8; 32]>) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_S;
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "aud"]);
        Self {
            encoding: EncodingKey::from_secret(key.expose()),
            decoding: DecodingKey::from_secret(key.expose()),
            validation,
        }
    }

    /// Makes a token for a project.
    pub(crate) fn issue(&self, scope: &ProjectScope, limits: &Limits, now: Timestamp) -> Result<String> {
        self.sign(scope.account(), scope.project_id(), limits, now)
    }

    fn sign(
        &self,
        account: &AccountId,
        project: &ProjectId,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<String> {
        let iat = u64::try_from(now.as_micros() / 1_000_000).unwrap_or(0);
        let claims = Claims {
            aud: AUDIENCE.into(),
            account: account.to_string(),
            project: project.to_string(),
            iat,
            exp: iat + LIFETIME_S,
            max_file_count_allowed: limits.files_max as u64,
            max_file_bytes_allowed: limits.file_bytes_max as u64,
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(ApiError::internal)
    }

    /// Checks a token; `None` for every kind of bad one.
    pub(crate) fn verify(&self, token: &str) -> Option<UploadGrant> {
        let claims = decode::<Claims>(token, &self.decoding, &self.validation).ok()?.claims;
        Some(UploadGrant {
            account: AccountId::new(claims.account),
            project: ProjectId::new(claims.project),
            files_max: usize::try_from(claims.max_file_count_allowed).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_store::Clock;

    fn tokens(key: u8) -> UploadTokens {
        UploadTokens::new(&Secret::new([key; 32]))
    }

    fn token(age_s: i64) -> String {
        let now = Timestamp::from_micros(Clock::now().as_micros() - age_s * 1_000_000);
        let limits = Limits { files_max: 7, ..Limits::default() };
        tokens(1).sign(&AccountId::new("a"), &ProjectId::new("p"), &limits, now).unwrap()
    }

    #[test]
    fn a_token_says_where_it_leads() {
        let grant = tokens(1).verify(&token(0)).unwrap();
        assert_eq!((grant.account.as_str(), grant.project.as_str(), grant.files_max), ("a", "p", 7));
        let payload = token(0).split('.').nth(1).unwrap().to_owned();
        let json = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(claims["max_file_count_allowed"], 7, "wrangler reads this");
    }

    #[test]
    fn every_bad_token_is_refused() {
        let lifetime = i64::try_from(LIFETIME_S).unwrap();
        assert!(tokens(1).verify(&token(lifetime + 60)).is_some(), "leeway");
        assert!(tokens(1).verify(&token(lifetime + 600)).is_none(), "expired");
        assert!(tokens(2).verify(&token(0)).is_none(), "another server's key");
        let good = token(0);
        let (head, _) = good.rsplit_once('.').unwrap();
        for bad in ["", "a.b.c", "..", head, &format!("{head}."), &format!("{good}x")] {
            assert!(tokens(1).verify(bad).is_none(), "{bad}");
        }
        let none = base64_simd::URL_SAFE_NO_PAD.encode_to_string(br#"{"alg":"none"}"#);
        let body = good.split('.').nth(1).unwrap();
        assert!(tokens(1).verify(&format!("{none}.{body}.")).is_none(), "unsigned");
    }
}
