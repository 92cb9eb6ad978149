//! Projects.

use reqwest::Method;
use serde_json::json;

use super::PagesClient;
use crate::error::ClientError;
use crate::types::Project;

/// What the real service serves at most without complaint.
const PER_PAGE: usize = 10;

impl PagesClient {
    /// All projects, newest first.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn projects(&self) -> Result<Vec<Project>, ClientError> {
        self.api.pages(&self.path(&["pages", "projects"]), &[], PER_PAGE).await
    }

    /// Up to ten projects: enough to tell one from several.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn some_projects(&self) -> Result<Vec<Project>, ClientError> {
        self.api.page(&self.path(&["pages", "projects"]), &[], 1, PER_PAGE).await
    }

    /// One project.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] where there is none of this name; otherwise see there.
    pub async fn project(&self, name: &str) -> Result<Project, ClientError> {
        self.api.get(&self.path(&["pages", "projects", name]), &[]).await
    }

    /// Makes a project.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Conflict`] where there is one of this name; otherwise see there.
    pub async fn create_project(&self, name: &str, production_branch: &str) -> Result<Project, ClientError> {
        let body = json!({ "name": name, "production_branch": production_branch });
        let call = self.call(Method::POST, &["pages", "projects"])?.json(&body)?;
        self.api.send(&call.makes_another()).await
    }

    /// Deletes a project and all its deployments.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn delete_project(&self, name: &str) -> Result<(), ClientError> {
        self.api.send_blind(&self.call(Method::DELETE, &["pages", "projects", name])?).await
    }
}
