//! Links with which somebody without credentials may do one thing for an hour: upload a file of SQL for one database,
//! or download an export of it. wrangler follows them as it follows links into the storage of the real service.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use offprint_model::id::AccountId;
use offprint_model::secret::Secret;
use offprint_store::{Clock, Resource};
use offprint_wire::d1::DumpOptions;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{ApiError, Result};

const LIFETIME_S: u64 = 60 * 60;

/// What a link is for. Links of one kind are no links of another.
pub(crate) trait Purpose: Serialize + DeserializeOwned {
    const AUDIENCE: &str;
}

/// To upload a file.
#[derive(Serialize, Deserialize)]
pub(crate) struct Upload {
    /// The database's id.
    pub(crate) database: String,
    /// The file's MD5.
    pub(crate) etag: String,
}

/// To download an export.
#[derive(Serialize, Deserialize)]
pub(crate) struct Download {
    /// The account.
    pub(crate) account: String,
    /// The database's id.
    pub(crate) database: String,
    /// What it is to hold.
    pub(crate) options: DumpOptions,
}

impl Purpose for Upload {
    const AUDIENCE: &str = "offprint:d1-upload";
}

impl Purpose for Download {
    const AUDIENCE: &str = "offprint:d1-download";
}

impl Download {
    pub(crate) fn new(account: &AccountId, resource: &Resource, options: DumpOptions) -> Self {
        Self { account: account.to_string(), database: resource.id().to_string(), options }
    }
}

#[derive(Serialize, Deserialize)]
struct Claims<P> {
    aud: String,
    exp: u64,
    purpose: P,
}

/// Makes the token of a link.
pub(crate) fn sign<P: Purpose>(key: &Secret<[u8; 32]>, purpose: P) -> Result<String> {
    let now = u64::try_from(Clock::now().as_micros() / 1_000_000).unwrap_or_default();
    let claims = Claims { aud: P::AUDIENCE.into(), exp: now + LIFETIME_S, purpose };
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(key.expose()))
        .map_err(ApiError::internal)
}

/// What a link is for; `None` for every kind of bad one.
pub(crate) fn verify<P: Purpose>(key: &Secret<[u8; 32]>, token: &str) -> Option<P> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    validation.set_audience(&[P::AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "aud"]);
    let decoded = decode::<Claims<P>>(token, &DecodingKey::from_secret(key.expose()), &validation);
    Some(decoded.ok()?.claims.purpose)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_for_one_thing_and_one_server() {
        let (ours, theirs) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let token = sign(&ours, Upload { database: "d".into(), etag: "e".into() }).unwrap();
        assert_eq!(verify::<Upload>(&ours, &token).unwrap().database, "d");
        assert!(verify::<Upload>(&theirs, &token).is_none());
        assert!(verify::<Download>(&ours, &token).is_none());
        for bad in ["", "a.b.c", &token[..token.len() - 2]] {
            assert!(verify::<Upload>(&ours, bad).is_none(), "{bad}");
        }
    }
}
