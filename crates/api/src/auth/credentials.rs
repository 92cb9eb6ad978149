//! Credentials: `Authorization: Bearer`, or `X-Auth-Email` with `X-Auth-Key`.
//!
//! Pages API, "Request headers" and "Codes". The pair wins when both are there, as it does in wrangler.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};
use offprint_model::secret::Secret;
use offprint_store::{Principal, Via};
use offprint_wire::error_code::ErrorCode;

use crate::error::{ApiError, Result};
use crate::state::{ClientAddress, Context, Ctx};

/// Somebody whose token is good.
pub(crate) struct Caller(pub(crate) Principal);

impl FromRequestParts<Ctx> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self> {
        authenticate(ctx, parts).await.map(Self)
    }
}

/// What a request presents.
pub(crate) enum Credentials {
    /// An API token, or an upload token.
    Bearer(Secret<String>),
    /// An e-mail address and a key. Offprint's keys are its tokens.
    Pair { email: String, key: Secret<String> },
}

/// Finds out who is calling.
pub(crate) async fn authenticate(ctx: &Context, parts: &Parts) -> Result<Principal> {
    let (secret, email) = match Credentials::read(&parts.headers)? {
        Credentials::Bearer(token) => (token, None),
        Credentials::Pair { email, key } => (key, Some(email)),
    };
    let principal = ctx.store.authenticate(&secret).await?.ok_or(ErrorCode::AuthenticationError)?;
    let principal = principal.through(Via::PagesApi, address(parts));
    match email {
        Some(email) if !email.eq_ignore_ascii_case(principal.email()) => {
            Err(ErrorCode::AuthenticationError.into())
        }
        _ => Ok(principal),
    }
}

/// Where a request came from.
pub(crate) fn address(parts: &Parts) -> Option<String> {
    let ClientAddress(address) = parts.extensions.get::<ClientAddress>()?;
    Some(address.to_string())
}

impl Credentials {
    /// Reads the headers.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self> {
        if let (Some(email), Some(key)) = (text(headers, "x-auth-email"), text(headers, "x-auth-key")) {
            if email.is_empty() || key.is_empty() {
                return Err(malformed(ErrorCode::InvalidAuthKeyHeader));
            }
            return Ok(Self::Pair { email, key: Secret::new(key) });
        }
        let Some(authorization) = text(headers, header::AUTHORIZATION.as_str()) else {
            return Err(ErrorCode::MissingCredentials.into());
        };
        match authorization.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
                Ok(Self::Bearer(Secret::new(token.trim().to_owned())))
            }
            _ => Err(malformed(ErrorCode::InvalidAuthorizationHeader)),
        }
    }
}

fn malformed(header: ErrorCode) -> ApiError {
    ApiError::caused_by(ErrorCode::InvalidHeaders, header)
}

/// A header as text. JavaScript clients send characters up to U+00FF as one byte each, others send UTF-8.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let bytes = headers.get(name)?.as_bytes();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(pairs: &[(&'static str, &[u8])]) -> Result<String, u32> {
        let headers: HeaderMap = pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_bytes(value).unwrap()))
            .collect();
        match Credentials::read(&headers) {
            Ok(Credentials::Bearer(token)) => Ok(token.expose().clone()),
            Ok(Credentials::Pair { email, key }) => Ok(format!("{email}/{}", key.expose())),
            Err(error) => Err(error.code().number()),
        }
    }

    #[test]
    fn both_kinds_are_read_and_the_pair_wins() {
        let bearer: (&str, &[u8]) = ("authorization", b"Bearer abc");
        let email: (&str, &[u8]) = ("x-auth-email", b"a@b.c");
        let key: (&str, &[u8]) = ("x-auth-key", b"k");
        assert_eq!(read(&[bearer]), Ok("abc".into()));
        assert_eq!(read(&[("authorization", b"bearer  abc ")]), Ok("abc".into()));
        assert_eq!(read(&[bearer, email, key]), Ok("a@b.c/k".into()));
        assert_eq!(read(&[bearer, key]), Ok("abc".into()));
        assert_eq!(read(&[("authorization", b"Bearer \xe9")]), Ok("é".into()));
    }

    #[test]
    fn what_is_no_credential_has_its_code() {
        assert_eq!(read(&[]), Err(9106));
        assert_eq!(read(&[("x-auth-key", b"k")]), Err(9106));
        assert_eq!(read(&[("authorization", b"Basic abc")]), Err(6003));
        assert_eq!(read(&[("authorization", b"Bearer")]), Err(6003));
        assert_eq!(read(&[("authorization", b"Bearer ")]), Err(6003));
        assert_eq!(read(&[("x-auth-email", b"a@b.c"), ("x-auth-key", b"")]), Err(6003));
    }
}
