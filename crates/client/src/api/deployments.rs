//! Deployments.

use bytes::Bytes;
use offprint_wire::tail::{Filter, Tail, TailEvent, filters_body};
use reqwest::Method;

use super::PagesClient;
use crate::error::ClientError;
use crate::form::Form;
use crate::types::{Deployment, DeploymentLog};

/// What the real service serves at most.
pub(crate) const PER_PAGE: usize = 25;

/// The parts of a new deployment, as the form carries them. What is absent is not sent.
#[derive(Clone, Debug, Default)]
pub struct NewDeployment {
    /// JSON: asset path to key.
    pub manifest: Bytes,
    /// The branch; absent, it is production.
    pub branch: Option<String>,
    /// The commit.
    pub commit_hash: Option<String>,
    /// Its message, 384 bytes at the most.
    pub commit_message: Option<String>,
    /// Whether the work tree differed from it.
    pub commit_dirty: Option<bool>,
    /// The text of `_headers`.
    pub headers: Option<Bytes>,
    /// The text of `_redirects`.
    pub redirects: Option<Bytes>,
    /// A Worker of one ES module.
    pub worker: Option<Bytes>,
    /// The text of `_routes.json`; goes with a Worker only.
    pub routes: Option<Bytes>,
}

impl NewDeployment {
    /// The form, its parts in wrangler's order.
    fn into_form(self) -> Form {
        let mut form = Form::new();
        form.text("manifest", &self.manifest);
        let dirty = self.commit_dirty.map(|dirty| dirty.to_string());
        let texts = [
            ("branch", self.branch),
            ("commit_message", self.commit_message),
            ("commit_hash", self.commit_hash),
            ("commit_dirty", dirty),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                form.text(name, value.as_bytes());
            }
        }
        let files = [
            ("_headers", self.headers),
            ("_redirects", self.redirects),
            ("_worker.js", self.worker),
            ("_routes.json", self.routes),
        ];
        for (name, value) in files {
            if let Some(value) = value {
                form.file(name, &value);
            }
        }
        form
    }
}

impl PagesClient {
    /// One page of deployments, newest first; pages count from 1 and hold 25.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn deployments(
        &self,
        project: &str,
        environment: Option<&str>,
        page: usize,
    ) -> Result<Vec<Deployment>, ClientError> {
        let path = self.path(&["pages", "projects", project, "deployments"]);
        let query: Vec<_> = environment.map(|environment| ("env", environment)).into_iter().collect();
        self.api.page(&path, &query, page, PER_PAGE).await
    }

    /// The newest deployments, `limit` of them at the most.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn newest_deployments(
        &self,
        project: &str,
        environment: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Deployment>, ClientError> {
        let mut all = Vec::new();
        for page in 1.. {
            let items = self.deployments(project, environment, page).await?;
            let full = items.len() >= PER_PAGE;
            all.extend(items);
            if !full || all.len() >= limit {
                break;
            }
        }
        all.truncate(limit);
        Ok(all)
    }

    /// One deployment, by its full id.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn deployment(&self, project: &str, id: &str) -> Result<Deployment, ClientError> {
        self.api.get(&self.path(&["pages", "projects", project, "deployments", id]), &[]).await
    }

    /// Makes a deployment of assets that were uploaded.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn create_deployment(
        &self,
        project: &str,
        new: NewDeployment,
    ) -> Result<Deployment, ClientError> {
        let call = self.call(Method::POST, &["pages", "projects", project, "deployments"])?;
        self.api.send(&call.form(new.into_form())?.makes_another()).await
    }

    /// Deletes a deployment; one with an alias only with `force`, the live production one never.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn delete_deployment(&self, project: &str, id: &str, force: bool) -> Result<(), ClientError> {
        let path = self.path(&["pages", "projects", project, "deployments", id]);
        let force = if force { "true" } else { "false" };
        let call = self.api.transport.call(Method::DELETE, &path, &[("force", force)])?;
        self.api.send_blind(&call).await
    }

    /// Makes a new deployment of the same content.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn retry_deployment(&self, project: &str, id: &str) -> Result<Deployment, ClientError> {
        let call = self.call(Method::POST, &["pages", "projects", project, "deployments", id, "retry"])?;
        self.api.send(&call.makes_another()).await
    }

    /// Builds the newest commit of a branch; without one, of the production branch.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn build(&self, project: &str, branch: Option<&str>) -> Result<Deployment, ClientError> {
        let call = self.call(Method::POST, &["pages", "projects", project, "deployments"])?;
        let mut form = Form::new();
        let call = match branch {
            Some(branch) => {
                form.text("branch", branch.as_bytes());
                call.form(form)?
            }
            None => call,
        };
        self.api.send(&call.makes_another()).await
    }

    /// Stops a deployment that has not ended: nothing of it goes live. An extension of the Pages API.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn cancel_deployment(&self, project: &str, id: &str) -> Result<Deployment, ClientError> {
        let call = self.call(Method::POST, &["pages", "projects", project, "deployments", id, "cancel"])?;
        self.api.send(&call).await
    }

    /// Makes an older deployment the live one.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn rollback(&self, project: &str, id: &str) -> Result<Deployment, ClientError> {
        let call = self.call(Method::POST, &["pages", "projects", project, "deployments", id, "rollback"])?;
        self.api.send(&call).await
    }

    /// The log of a deployment.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn deployment_log(&self, project: &str, id: &str) -> Result<DeploymentLog, ClientError> {
        let path = self.path(&["pages", "projects", project, "deployments", id, "history", "logs"]);
        self.api.get(&path, &[("size", "10000000")]).await
    }

    /// The recent calls of a deployment's Functions that failed, newest first. An extension of the Pages API.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn exceptions(
        &self,
        project: &str,
        id: &str,
        filters: &[Filter],
        search: Option<&str>,
        limit: usize,
    ) -> Result<Vec<TailEvent>, ClientError> {
        let path = self.path(&["pages", "projects", project, "deployments", id, "exceptions"]);
        let (filters, limit) = (filters_body(filters)["filters"].to_string(), limit.to_string());
        let mut query = vec![("filters", filters.as_str()), ("limit", &limit)];
        query.extend(search.map(|text| ("search", text)));
        self.api.get(&path, &query).await
    }

    pub(crate) async fn start_tail(
        &self,
        project: &str,
        id: &str,
        filters: &serde_json::Value,
    ) -> Result<Tail, ClientError> {
        let call = self.call(Method::POST, &["pages", "projects", project, "deployments", id, "tails"])?;
        self.api.send(&call.json(filters)?).await
    }

    pub(crate) async fn end_tail(&self, project: &str, id: &str, tail: &str) -> Result<(), ClientError> {
        let path = ["pages", "projects", project, "deployments", id, "tails", tail];
        self.api.send_blind(&self.call(Method::DELETE, &path)?).await
    }

    /// Opens the log's stream behind the event `last_id`; `None` where the server has none. Anything else than a
    /// stream is taken for none: what is really wrong shows in the calls that are made instead.
    ///
    /// # Errors
    /// The API refused for another reason, or could not be reached.
    pub(crate) async fn open_log_stream(
        &self,
        project: &str,
        id: &str,
        last_id: Option<&str>,
    ) -> Result<Option<reqwest::Response>, ClientError> {
        let path = self.path(&["pages", "projects", project, "deployments", id, "history", "logs", "stream"]);
        let call = self.api.transport.call(Method::GET, &path, &[])?;
        self.api.transport.open_stream(&call, &self.api.token, last_id).await
    }
}
