//! The forge of a project, whichever it is.

use offprint_model::project::{Source, SourceKind};
use offprint_model::secret::Secret;
use serde_json::Value;

use super::call::{ForgeApi, ForgeError, MayReach, TokenHeader};
use super::comment::Comment;
use super::github::Github;
use super::gitlab::Gitlab;
use super::report::CommitStatus;

/// A repository at a forge, and a token that may report there.
pub(crate) enum Forge {
    /// GitHub, and Forgejo and Gitea, whose API is the same here.
    Github(Github),
    /// GitLab.
    Gitlab(Gitlab),
}

impl Forge {
    /// The forge of a source.
    ///
    /// # Errors
    /// [`ForgeError::Unusable`] where the source has no forge, or its settings lead nowhere.
    pub(crate) fn of(
        source: &Source,
        token: &Secret<String>,
        may_reach: &MayReach,
    ) -> Result<Self, ForgeError> {
        let base = source.api_url().ok_or(ForgeError::Unusable("the repository has no forge"))?;
        let api = |style| ForgeApi::new(&base, style, token, may_reach);
        let (owner, name) = (source.owner.clone(), source.repo_name.clone());
        Ok(match source.kind {
            SourceKind::Github => Self::Github(Github::new(api(TokenHeader::Bearer)?, owner, name)),
            SourceKind::Gitlab => {
                Self::Gitlab(Gitlab::new(api(TokenHeader::Private)?, gitlab_project(source)))
            }
            SourceKind::Forgejo | SourceKind::Gitea => {
                Self::Github(Github::forgejo(api(TokenHeader::Token)?, owner, name))
            }
            SourceKind::Git => return Err(ForgeError::Unusable("the repository has no forge")),
        })
    }

    /// Sets the status of a commit; a status of the same context is replaced.
    pub(crate) async fn set_status(&self, status: &CommitStatus) -> Result<(), ForgeError> {
        match self {
            Self::Github(forge) => forge.set_status(status).await,
            Self::Gitlab(forge) => forge.set_status(status).await,
        }
    }

    /// The comments of a pull request, oldest first; pages count from 1.
    pub(crate) async fn comments(&self, number: &str, page: u32) -> Result<Vec<Comment>, ForgeError> {
        match self {
            Self::Github(forge) => forge.comments(number, &page.to_string()).await,
            Self::Gitlab(forge) => forge.comments(number, &page.to_string()).await,
        }
    }

    /// Whether comments come in pages of a hundred.
    pub(crate) const fn has_pages(&self) -> bool {
        match self {
            Self::Github(forge) => forge.has_pages(),
            Self::Gitlab(_) => true,
        }
    }

    /// Makes a comment; the answer has its `id`.
    pub(crate) async fn create_comment(&self, number: &str, text: &str) -> Result<Value, ForgeError> {
        match self {
            Self::Github(forge) => forge.create_comment(number, text).await,
            Self::Gitlab(forge) => forge.create_comment(number, text).await,
        }
    }

    /// Replaces the text of a comment.
    pub(crate) async fn edit_comment(&self, number: &str, id: &str, text: &str) -> Result<(), ForgeError> {
        match self {
            Self::Github(forge) => forge.edit_comment(id, text).await,
            Self::Gitlab(forge) => forge.edit_comment(number, id, text).await,
        }
    }
}

/// GitLab takes a number or the full path; the number outlives a move of the repository.
fn gitlab_project(source: &Source) -> String {
    let is_number = !source.repo_id.is_empty() && source.repo_id.bytes().all(|b| b.is_ascii_digit());
    if is_number { source.repo_id.clone() } else { format!("{}/{}", source.owner, source.repo_name) }
}
