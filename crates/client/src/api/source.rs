//! What a server needs to build from a repository: credentials, and the address of the webhook. An extension of
//! the Pages API.

use offprint_model::secret::Secret;
use reqwest::Method;
use serde_json::{Map, Value};

use super::PagesClient;
use crate::error::ClientError;
use crate::types::{PullRequest, SourceAccess};

/// Changes to the credentials of a repository. `None` keeps a value, an empty text removes it.
#[derive(Clone, Default)]
pub struct SourceAccessChange {
    /// A token: clones private repositories over https, and reports to the forge.
    pub token: Option<Secret<String>>,
    /// A private key in OpenSSH's format, for clones over ssh.
    pub ssh_key: Option<Secret<String>>,
    /// The forge's host keys, as lines of a `known_hosts` file.
    pub known_hosts: Option<Secret<String>>,
    /// The secret of the webhook, where the forge does not take ours.
    pub webhook_secret: Option<Secret<String>>,
}

impl SourceAccessChange {
    fn into_json(self) -> Value {
        let values = [
            ("token", self.token),
            ("ssh_key", self.ssh_key),
            ("known_hosts", self.known_hosts),
            ("webhook_secret", self.webhook_secret),
        ];
        let json = |value: Secret<String>| match value.expose().as_str() {
            "" => Value::Null,
            text => Value::from(text),
        };
        let given = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json(value?))));
        Value::Object(given.collect::<Map<_, _>>())
    }
}

impl PagesClient {
    /// Where the webhook goes and which credentials are set; their values are never shown.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn source_access(&self, project: &str) -> Result<SourceAccess, ClientError> {
        self.api.get(&self.path(&["pages", "projects", project, "source"]), &[]).await
    }

    /// Changes credentials.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn change_source_access(
        &self,
        project: &str,
        change: SourceAccessChange,
    ) -> Result<SourceAccess, ClientError> {
        let call = self.call(Method::PATCH, &["pages", "projects", project, "source"])?;
        self.api.send(&call.json(&change.into_json())?).await
    }

    /// Makes a new webhook secret, shown in this answer and never again. The old one ends at once.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn renew_webhook_secret(&self, project: &str) -> Result<SourceAccess, ClientError> {
        let call = self.call(Method::POST, &["pages", "projects", project, "source", "webhook_secret"])?;
        self.api.send(&call.makes_another()).await
    }

    /// Pull requests that the server has heard of.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn pull_requests(&self, project: &str) -> Result<Vec<PullRequest>, ClientError> {
        self.api.get(&self.path(&["pages", "projects", project, "pull_requests"]), &[]).await
    }

    /// Allows one commit of a pull request from a fork to be built. The answer is the server's own.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn approve_pull_request(
        &self,
        project: &str,
        number: u64,
        commit_hash: &str,
    ) -> Result<Value, ClientError> {
        let number = number.to_string();
        let path = ["pages", "projects", project, "pull_requests", &number, "approve"];
        let call =
            self.call(Method::POST, &path)?.json(&serde_json::json!({ "commit_hash": commit_hash }))?;
        self.api.send(&call.makes_another()).await
    }
}
