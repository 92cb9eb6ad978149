//! Forgejo and Gitea: commit statuses and comments of issues (a pull request is one).

use reqwest::Method;
use serde_json::{Value, json};

use super::call::{ForgeApi, ForgeError};
use super::comment::{Comment, comments_of};
use super::report::{CommitStatus, Standing};

/// A repository at Forgejo or Gitea. The token needs `write:repository` and, for comments, `write:issue`.
pub(crate) struct Forgejo {
    api: ForgeApi,
    owner: String,
    name: String,
}

impl Forgejo {
    /// The repository `owner/name`.
    pub(crate) const fn new(api: ForgeApi, owner: String, name: String) -> Self {
        Self { api, owner, name }
    }

    /// `POST /repos/{owner}/{repo}/statuses/{sha}`.
    pub(crate) async fn set_status(&self, status: &CommitStatus) -> Result<(), ForgeError> {
        let body = json!({
            "state": state(status.standing),
            "target_url": status.target,
            "description": status.description,
            "context": status.context,
        });
        self.call(Method::POST, &["statuses", &status.commit], Some(body)).await.map(drop)
    }

    /// `GET /repos/{owner}/{repo}/issues/{index}/comments`: all of them, oldest first; there are no pages.
    pub(crate) async fn comments(&self, number: &str) -> Result<Vec<Comment>, ForgeError> {
        comments_of(&self.call(Method::GET, &["issues", number, "comments"], None).await?)
    }

    /// `POST /repos/{owner}/{repo}/issues/{index}/comments`; the answer has the comment's id.
    pub(crate) async fn create_comment(&self, number: &str, text: &str) -> Result<Value, ForgeError> {
        self.call(Method::POST, &["issues", number, "comments"], Some(json!({ "body": text }))).await
    }

    /// `PATCH /repos/{owner}/{repo}/issues/comments/{id}`.
    pub(crate) async fn edit_comment(&self, id: &str, text: &str) -> Result<(), ForgeError> {
        let body = json!({ "body": text });
        self.call(Method::PATCH, &["issues", "comments", id], Some(body)).await.map(drop)
    }

    async fn call(&self, method: Method, rest: &[&str], body: Option<Value>) -> Result<Value, ForgeError> {
        let path = [&["repos", self.owner.as_str(), self.name.as_str()], rest].concat();
        self.api.call(method, &path, &[], body).await
    }
}

/// The states of the API description; as on GitHub, a skipped commit passes.
const fn state(standing: Standing) -> &'static str {
    match standing {
        Standing::Queued | Standing::Running => "pending",
        Standing::Live => "success",
        Standing::Failed(_) => "failure",
        Standing::Canceled => "error",
        Standing::Skipped(_) if standing.is_superseded() => "error",
        Standing::Skipped(_) => "success",
    }
}
