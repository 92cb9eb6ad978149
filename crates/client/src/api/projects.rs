//! Projects.

use reqwest::Method;
use serde_json::{Map, Value};

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
        self.create_project_with(name, production_branch, Map::new()).await
    }

    /// Makes a project with further members of the request, such as `source` and `build_config`.
    ///
    /// # Errors
    /// As [`Self::create_project`].
    pub async fn create_project_with(
        &self,
        name: &str,
        production_branch: &str,
        more: Map<String, Value>,
    ) -> Result<Project, ClientError> {
        let mut body = more;
        body.insert("name".to_owned(), name.into());
        body.insert("production_branch".to_owned(), production_branch.into());
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
