//! The asset calls. They lie outside the account and know it, and the project, only from an upload token.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use offprint_model::asset::AssetKey;
use offprint_model::secret::Secret;
use offprint_wire::asset::{Hashes, UploadToken};
use reqwest::Method;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::sync::Mutex;

use super::PagesClient;
use crate::error::{ClientError, ErrorCode};
use crate::transport::{Call, NO_QUERY, Transport};

/// What a token allows that does not say.
const FILES_MAX: usize = 20_000;
/// A server that refuses every upload token must not keep us for ever.
const RENEWALS_MAX: u32 = 8;

/// What an upload token says about the server's limits.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct Limits {
    max_file_count_allowed: Option<usize>,
    max_file_bytes_allowed: Option<u64>,
}

/// The right to upload to one project. The token behind it is renewed when the server refuses it.
pub struct UploadSession {
    client: PagesClient,
    project: String,
    limits: Limits,
    token: Mutex<CurrentToken>,
}

struct CurrentToken {
    jwt: Arc<Secret<String>>,
    renewals: u32,
}

impl PagesClient {
    /// Asks for the right to upload to a project.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] where there is no such project; otherwise see there.
    pub async fn upload_session(&self, project: &str) -> Result<UploadSession, ClientError> {
        let jwt = self.upload_token(project).await?;
        let limits = limits_of(jwt.expose()).unwrap_or_default();
        let token = Mutex::new(CurrentToken { jwt: Arc::new(jwt), renewals: 0 });
        Ok(UploadSession { client: self.clone(), project: project.to_owned(), limits, token })
    }

    async fn upload_token(&self, project: &str) -> Result<Secret<String>, ClientError> {
        let path = self.path(&["pages", "projects", project, "upload-token"]);
        let answer: UploadToken = self.api.get(&path, NO_QUERY).await?;
        Ok(Secret::new(answer.jwt))
    }
}

impl UploadSession {
    /// The project.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The account that the project belongs to.
    pub const fn client(&self) -> &PagesClient {
        &self.client
    }

    /// The most assets that a deployment may have.
    pub fn files_max(&self) -> usize {
        self.limits.max_file_count_allowed.unwrap_or(FILES_MAX)
    }

    /// The largest asset, in bytes, where the server says so. Cloudflare does not.
    pub const fn file_bytes_max(&self) -> Option<u64> {
        self.limits.max_file_bytes_allowed
    }

    /// Which of these keys the server lacks.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn check_missing(&self, keys: &[&AssetKey]) -> Result<Vec<String>, ClientError> {
        let call = self.call("check-missing")?.json(&hashes(keys))?;
        self.send(&call).await.map(Option::unwrap_or_default)
    }

    /// Uploads assets. The body is a JSON array of
    /// `{"key","value","metadata":{"contentType"},"base64":true}`.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn upload(&self, body: Bytes) -> Result<(), ClientError> {
        let call = self.call("upload")?.json_bytes(body);
        self.send::<IgnoredAny>(&call).await.map(drop)
    }

    /// Tells the server that these keys are in use.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn upsert_hashes(&self, keys: &[&AssetKey]) -> Result<(), ClientError> {
        let call = self.call("upsert-hashes")?.json(&hashes(keys))?;
        self.send::<IgnoredAny>(&call).await.map(drop)
    }

    fn transport(&self) -> &Transport {
        &self.client.api.transport
    }

    fn call(&self, name: &str) -> Result<Call, ClientError> {
        self.transport().call(Method::POST, &["pages", "assets", name], NO_QUERY)
    }

    async fn send<T: DeserializeOwned>(&self, call: &Call) -> Result<Option<T>, ClientError> {
        loop {
            let jwt = self.token.lock().await.jwt.clone();
            match self.transport().send(call, &jwt).await {
                Err(error) if error.is(ErrorCode::AuthorizationFailed) => self.renew(&jwt, error).await?,
                answer => return answer.map(|answer| answer.result),
            }
        }
    }

    /// Fetches a new token, once for all the calls that met the same refusal.
    async fn renew(&self, refused: &Arc<Secret<String>>, error: ClientError) -> Result<(), ClientError> {
        let mut token = self.token.lock().await;
        if !Arc::ptr_eq(&token.jwt, refused) {
            return Ok(());
        }
        if token.renewals >= RENEWALS_MAX {
            return Err(error);
        }
        token.renewals += 1;
        token.jwt = Arc::new(self.client.upload_token(&self.project).await?);
        Ok(())
    }
}

fn hashes<'a>(keys: &[&'a AssetKey]) -> Hashes<'a> {
    Hashes { hashes: keys.iter().map(|key| Cow::Borrowed(key.as_str())).collect() }
}

/// Reads the claims that are for us without verifying the token: only the server can do that.
fn limits_of(jwt: &str) -> Option<Limits> {
    let claims = jwt.split('.').nth(1)?.trim_end_matches('=');
    let json = base64_simd::URL_SAFE_NO_PAD
        .decode_to_vec(claims)
        .or_else(|_| base64_simd::STANDARD_NO_PAD.decode_to_vec(claims))
        .ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_read_from_either_alphabet() {
        let jwt = |claims: &str| format!("e30.{claims}.x");
        let claims = br#"{"exp":1,"max_file_count_allowed":100000,"x":"??>>"}"#;
        let limits = Limits { max_file_count_allowed: Some(100_000), max_file_bytes_allowed: None };
        let url_safe = base64_simd::URL_SAFE_NO_PAD.encode_to_string(claims);
        assert_eq!(limits_of(&jwt(&url_safe)).as_ref(), Some(&limits));
        assert_eq!(limits_of(&jwt(&base64_simd::STANDARD.encode_to_string(claims))), Some(limits));
        assert_eq!(limits_of(&jwt("e30")), Some(Limits::default()));
        assert_eq!(limits_of("no token"), None);
    }
}
