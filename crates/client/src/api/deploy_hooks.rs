//! Deploy hooks: addresses that build a branch when they are called. An extension of the Pages API.

use reqwest::Method;
use serde_json::json;

use super::PagesClient;
use crate::error::ClientError;
use crate::types::DeployHook;

impl PagesClient {
    /// A project's deploy hooks, whose addresses are secrets.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn deploy_hooks(&self, project: &str) -> Result<Vec<DeployHook>, ClientError> {
        self.api.get(&self.path(&["pages", "projects", project, "deploy_hooks"]), &[]).await
    }

    /// Makes the deploy hook of a branch; a branch has one at the most.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Conflict`] where the branch has one; otherwise see there.
    pub async fn create_deploy_hook(
        &self,
        project: &str,
        name: &str,
        branch: &str,
    ) -> Result<DeployHook, ClientError> {
        let call = self.call(Method::POST, &["pages", "projects", project, "deploy_hooks"])?;
        self.api.send(&call.json(&json!({ "name": name, "branch": branch }))?.makes_another()).await
    }

    /// Ends a deploy hook at once.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    pub async fn delete_deploy_hook(&self, project: &str, id: &str) -> Result<(), ClientError> {
        let call = self.call(Method::DELETE, &["pages", "projects", project, "deploy_hooks", id])?;
        self.api.send_blind(&call).await
    }
}
