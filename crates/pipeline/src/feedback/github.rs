//! GitHub, GitHub Enterprise Server, Forgejo and Gitea, which have the same calls: commit statuses and comments of issues
//! (a pull request is one).

use reqwest::Method;
use serde_json::{Value, json};

use super::call::{ForgeApi, ForgeError};
use super::comment::{Comment, comments_of};
use super::report::{CommitStatus, Standing};

/// GitHub's largest page.
const PER_PAGE: &str = "100";

/// A repository. At GitHub the token needs "Commit statuses: write" and, for comments, "Pull requests: write"; at Forgejo
/// and Gitea `write:repository` and, for comments, `write:issue`.
pub(crate) struct Github {
    api: ForgeApi,
    owner: String,
    name: String,
    has_pages: bool,
}

impl Github {
    /// The repository `owner/name` at GitHub.
    pub(crate) fn new(api: ForgeApi, owner: String, name: String) -> Self {
        let api =
            api.with("accept", "application/vnd.github+json").with("x-github-api-version", "2022-11-28");
        Self { api, owner, name, has_pages: true }
    }

    /// The repository `owner/name` at Forgejo or Gitea, which list all comments of a pull request at once.
    pub(crate) const fn forgejo(api: ForgeApi, owner: String, name: String) -> Self {
        Self { api, owner, name, has_pages: false }
    }

    /// Whether comments come in pages.
    pub(crate) const fn has_pages(&self) -> bool {
        self.has_pages
    }

    /// `POST /repos/{owner}/{repo}/statuses/{sha}`.
    pub(crate) async fn set_status(&self, status: &CommitStatus) -> Result<(), ForgeError> {
        let body = json!({
            "state": state(status.standing),
            "target_url": status.target,
            "description": status.description,
            "context": status.context,
        });
        self.call(Method::POST, &["statuses", &status.commit], &[], Some(body)).await.map(drop)
    }

    /// `GET /repos/{owner}/{repo}/issues/{issue_number}/comments`, oldest first; pages count from 1.
    pub(crate) async fn comments(&self, number: &str, page: &str) -> Result<Vec<Comment>, ForgeError> {
        let paged = [("per_page", PER_PAGE), ("page", page)];
        let query = if self.has_pages { paged.as_slice() } else { &[] };
        let answer = self.call(Method::GET, &["issues", number, "comments"], query, None).await?;
        comments_of(&answer)
    }

    /// `POST /repos/{owner}/{repo}/issues/{issue_number}/comments`; the answer has the comment's id.
    pub(crate) async fn create_comment(&self, number: &str, text: &str) -> Result<Value, ForgeError> {
        self.call(Method::POST, &["issues", number, "comments"], &[], Some(json!({ "body": text }))).await
    }

    /// `PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}`.
    pub(crate) async fn edit_comment(&self, id: &str, text: &str) -> Result<(), ForgeError> {
        let body = json!({ "body": text });
        self.call(Method::PATCH, &["issues", "comments", id], &[], Some(body)).await.map(drop)
    }

    async fn call(
        &self,
        method: Method,
        rest: &[&str],
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Value, ForgeError> {
        let path = [&["repos", self.owner.as_str(), self.name.as_str()], rest].concat();
        self.api.call(method, &path, query, body).await
    }
}

/// None of them has a word for "skipped": a required status must be able to pass where nothing needs building.
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
