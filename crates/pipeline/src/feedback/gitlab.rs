//! GitLab: commit statuses and notes of merge requests.

use reqwest::Method;
use serde_json::{Value, json};

use super::call::{ForgeApi, ForgeError};
use super::comment::{Comment, comments_of};
use super::report::{CommitStatus, Standing};

/// GitLab's largest page.
const PER_PAGE: &str = "100";

/// A project at GitLab. The token needs the scope `api` and the role Developer.
pub(crate) struct Gitlab {
    api: ForgeApi,
    /// Its number, or its full path with all groups.
    project: String,
}

impl Gitlab {
    /// The project by its number, or by its full path.
    pub(crate) const fn new(api: ForgeApi, project: String) -> Self {
        Self { api, project }
    }

    /// `POST /projects/{id}/statuses/{sha}`.
    pub(crate) async fn set_status(&self, status: &CommitStatus) -> Result<(), ForgeError> {
        let body = json!({
            "state": state(status.standing),
            "ref": status.branch,
            "name": status.context,
            "target_url": status.target,
            "description": status.description,
        });
        match self.call(Method::POST, &["statuses", &status.commit], &[], Some(body)).await {
            // Said already: GitLab refuses to go from a state to the same one.
            Err(ForgeError::Refused { status: 400, message }) if message.contains("Cannot transition") => {
                Ok(())
            }
            done => done.map(drop),
        }
    }

    /// `GET /projects/{id}/merge_requests/{iid}/notes`, oldest first; pages count from 1.
    pub(crate) async fn comments(&self, number: &str, page: &str) -> Result<Vec<Comment>, ForgeError> {
        let query = [("sort", "asc"), ("order_by", "created_at"), ("per_page", PER_PAGE), ("page", page)];
        let answer = self.call(Method::GET, &["merge_requests", number, "notes"], &query, None).await?;
        comments_of(&answer)
    }

    /// `POST /projects/{id}/merge_requests/{iid}/notes`; the answer has the note's id.
    pub(crate) async fn create_comment(&self, number: &str, text: &str) -> Result<Value, ForgeError> {
        self.call(Method::POST, &["merge_requests", number, "notes"], &[], Some(json!({ "body": text })))
            .await
    }

    /// `PUT /projects/{id}/merge_requests/{iid}/notes/{note_id}`.
    pub(crate) async fn edit_comment(&self, number: &str, id: &str, text: &str) -> Result<(), ForgeError> {
        let body = json!({ "body": text });
        self.call(Method::PUT, &["merge_requests", number, "notes", id], &[], Some(body)).await.map(drop)
    }

    async fn call(
        &self,
        method: Method,
        rest: &[&str],
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Value, ForgeError> {
        let path = [&["projects", self.project.as_str()], rest].concat();
        self.api.call(method, &path, query, body).await
    }
}

/// The states of the documentation. A skipped commit passes: nothing needs building there.
const fn state(standing: Standing) -> &'static str {
    match standing {
        Standing::Queued => "pending",
        Standing::Running => "running",
        Standing::Live => "success",
        Standing::Failed(_) => "failed",
        Standing::Canceled => "canceled",
        Standing::Skipped(_) if standing.is_superseded() => "canceled",
        Standing::Skipped(_) => "success",
    }
}
