//! The one comment that a pull request gets: made once, then edited.
//!
//! It is remembered by its id, and found by its first line where the id was lost. A comment that was deleted,
//! or that only looks like ours and cannot be edited, is made anew.

use offprint_model::deployment::Deployment;
use serde_json::Value;

use super::call::ForgeError;
use super::forge::Forge;
use super::report::{DeploymentLinks, Standing};

/// How many pages of a hundred comments are searched.
const PAGES_MAX: u32 = 20;
const PAGE_FULL: usize = 100;

/// A comment as a forge lists it.
pub(crate) struct Comment {
    pub(crate) id: String,
    pub(crate) text: String,
}

/// Reads a list of comments; all three forges name the members alike.
///
/// # Errors
/// The answer is no list.
pub(crate) fn comments_of(answer: &Value) -> Result<Vec<Comment>, ForgeError> {
    let list = answer.as_array().ok_or_else(|| ForgeError::Passing("the comments are no list".into()))?;
    let read = |comment: &Value| {
        let text = comment["body"].as_str()?.to_owned();
        Some(Comment { id: comment["id"].as_u64()?.to_string(), text })
    };
    Ok(list.iter().filter_map(read).collect())
}

/// Makes or edits the comment; its id.
///
/// # Errors
/// See [`ForgeError`].
pub(crate) async fn put(
    forge: &Forge,
    number: u64,
    remembered: Option<&str>,
    deployment: &Deployment,
    links: &DeploymentLinks,
) -> Result<String, ForgeError> {
    let number = number.to_string();
    let text = text(deployment, links);
    if let Some(id) = remembered
        && edited(forge, &number, id, &text).await?
    {
        return Ok(id.to_owned());
    }
    if let Some(id) = find(forge, &number, &marker(deployment), remembered).await?
        && edited(forge, &number, &id, &text).await?
    {
        return Ok(id);
    }
    let made = forge.create_comment(&number, &text).await?;
    let id = made["id"].as_u64().ok_or_else(|| ForgeError::Passing("a comment without an id".into()))?;
    Ok(id.to_string())
}

/// Edits a comment; `false` where it is gone or not ours to edit.
async fn edited(forge: &Forge, number: &str, id: &str, text: &str) -> Result<bool, ForgeError> {
    match forge.edit_comment(number, id, text).await {
        Ok(()) => Ok(true),
        Err(ForgeError::Gone | ForgeError::Refused { status: 403, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn find(
    forge: &Forge,
    number: &str,
    marker: &str,
    but: Option<&str>,
) -> Result<Option<String>, ForgeError> {
    for page in 1..=PAGES_MAX {
        let comments = forge.comments(number, page).await?;
        let full = comments.len() >= PAGE_FULL && forge.has_pages();
        let ours = |comment: &Comment| comment.text.starts_with(marker) && Some(comment.id.as_str()) != but;
        if let Some(found) = comments.into_iter().find(ours) {
            return Ok(Some(found.id));
        }
        if !full {
            break;
        }
    }
    Ok(None)
}

/// The first line of the comment: invisible, and the same for all deployments of a project.
fn marker(deployment: &Deployment) -> String {
    format!("<!-- offprint:{} -->", deployment.project_id)
}

/// The comment: what a reviewer wants to know, and nothing that somebody else could have put into it.
fn text(deployment: &Deployment, links: &DeploymentLinks) -> String {
    let standing = Standing::of(deployment);
    let mut rows = vec![("Latest commit", format!("`{}`", short_hash(&deployment.commit.hash)))];
    rows.push(("Status", format!("{} {}", sign(standing), standing.sentence())));
    if standing == Standing::Live {
        rows.push(("Preview URL", links.site.clone()));
        rows.extend(links.alias.clone().map(|alias| ("Branch preview URL", alias)));
    }
    let rows: String = rows.iter().map(|(name, value)| format!("| **{name}** | {value} |\n")).collect();
    format!(
        "{marker}\n## Deploying `{project}` with Offprint\n\n| | |\n|---|---|\n{rows}\n[View the log]({log})\n",
        marker = marker(deployment),
        project = deployment.project_name,
        log = links.log,
    )
}

const fn sign(standing: Standing) -> &'static str {
    match standing {
        Standing::Queued | Standing::Running => "⏳",
        Standing::Live => "✅",
        Standing::Failed(_) => "❌",
        Standing::Canceled | Standing::Skipped(_) => "🚫",
    }
}

/// The first seven digits; what is no hash is not shown.
fn short_hash(hash: &str) -> &str {
    let is_hash = hash.len() >= 7 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { &hash[..7] } else { "unknown" }
}
