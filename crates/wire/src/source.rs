//! `source`: the repository of a project that is built from git.

use std::borrow::Cow;

use offprint_model::name::{BranchName, InvalidName};
use offprint_model::source::{
    CloneUrl, PreviewSetting, Source as Model, SourceKind, SourcePatch, check_api_url,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::{Node, Object, Read};

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// `github` or `gitlab`; `forgejo`, `gitea` and `git` are extensions of the Pages API.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["github", "gitlab", "forgejo", "gitea", "git"]))]
    pub kind: Cow<'static, str>,
    /// The thirteen members of the Pages API are always there.
    pub config: SourceConfig,
}

/// The settings of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceConfig {
    /// Owner of the repository.
    pub owner: String,
    /// A string of digits, or empty.
    pub owner_id: String,
    /// The repository's name.
    pub repo_name: String,
    /// A string of digits, or empty.
    pub repo_id: String,
    /// The branch that deploys to production.
    pub production_branch: String,
    /// Whether pull requests get a comment.
    pub pr_comments_enabled: bool,
    /// Deprecated switch for all deployments.
    pub deployments_enabled: bool,
    /// Whether pushes to the production branch deploy.
    pub production_deployments_enabled: bool,
    /// `all`, `none` or `custom`.
    #[schemars(extend("enum" = ["all", "none", "custom"]))]
    pub preview_deployment_setting: Cow<'static, str>,
    /// Branch patterns that deploy.
    pub preview_branch_includes: Vec<String>,
    /// Branch patterns that do not.
    pub preview_branch_excludes: Vec<String>,
    /// Paths whose change deploys.
    pub path_includes: Vec<String>,
    /// Paths whose change does not.
    pub path_excludes: Vec<String>,
    /// Where it is cloned from. This and the following extend the Pages API; they are there once set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clone_url: Option<String>,
    /// The forge's HTTP API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// Whether submodules are fetched, too.
    #[serde(default, skip_serializing_if = "is_off")]
    pub submodules: bool,
    /// Whether large files (git LFS) are fetched, too.
    #[serde(default, skip_serializing_if = "is_off")]
    pub lfs: bool,
    /// Whether the server asks the repository for news.
    #[serde(default, skip_serializing_if = "is_off")]
    pub poll: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_off(switch: &bool) -> bool {
    !*switch
}

const KINDS: [(&str, SourceKind); 5] = [
    ("github", SourceKind::Github),
    ("gitlab", SourceKind::Gitlab),
    ("forgejo", SourceKind::Forgejo),
    ("gitea", SourceKind::Gitea),
    ("git", SourceKind::Git),
];

const PREVIEW_SETTINGS: [(&str, PreviewSetting); 3] =
    [("all", PreviewSetting::All), ("none", PreviewSetting::None), ("custom", PreviewSetting::Custom)];

/// The word for a value of one of the tables above, which name every value.
fn word<T: Copy + PartialEq>(words: &'static [(&'static str, T)], value: T) -> Cow<'static, str> {
    Cow::Borrowed(words.iter().find(|(_, meaning)| *meaning == value).map_or("", |(word, _)| word))
}

impl From<&Model> for Source {
    fn from(model: &Model) -> Self {
        let model = model.clone();
        let config = SourceConfig {
            owner: model.owner,
            owner_id: model.owner_id,
            repo_name: model.repo_name,
            repo_id: model.repo_id,
            production_branch: model.production_branch,
            pr_comments_enabled: model.pr_comments_enabled,
            deployments_enabled: model.deployments_enabled,
            production_deployments_enabled: model.production_deployments_enabled,
            preview_deployment_setting: word(&PREVIEW_SETTINGS, model.preview_deployment_setting),
            preview_branch_includes: model.preview_branch_includes,
            preview_branch_excludes: model.preview_branch_excludes,
            path_includes: model.path_includes,
            path_excludes: model.path_excludes,
            clone_url: model.clone_url.map(|url| url.to_string()),
            api_url: model.api_url,
            submodules: model.submodules,
            lfs: model.lfs,
            poll: model.poll,
        };
        Self { kind: word(&KINDS, model.kind), config }
    }
}

/// Reads the repository of a new project; what is absent has the real service's default.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_new(node: &Node<'_>, production_branch: Option<&str>) -> Read<Model> {
    let object = node.object()?;
    let kind = object.required("type", |kind| kind.one_of(&KINDS))?;
    let config = object.required("config", Node::object)?;
    let place = read_place(&config, kind)?;
    let default = Model::new(kind, &place.owner, &place.repo_name);
    let switch = |name, default| Ok(config.optional(name, Node::boolean)?.unwrap_or(default));
    let text = |name| Ok(config.optional(name, Node::text)?.unwrap_or_default());
    let texts = |name, default| Ok(config.optional(name, Node::texts)?.unwrap_or(default));
    let branch = config.optional("production_branch", read_branch)?;
    let previews = preview_setting(&config)?;
    Ok(Model {
        owner_id: text("owner_id")?,
        repo_id: text("repo_id")?,
        production_branch: branch
            .or_else(|| production_branch.map(ToOwned::to_owned))
            .unwrap_or(default.production_branch),
        pr_comments_enabled: switch("pr_comments_enabled", default.pr_comments_enabled)?,
        deployments_enabled: switch("deployments_enabled", default.deployments_enabled)?,
        production_deployments_enabled: switch(
            "production_deployments_enabled",
            default.production_deployments_enabled,
        )?,
        preview_deployment_setting: previews.unwrap_or(default.preview_deployment_setting),
        preview_branch_includes: texts("preview_branch_includes", default.preview_branch_includes)?,
        preview_branch_excludes: texts("preview_branch_excludes", default.preview_branch_excludes)?,
        path_includes: texts("path_includes", default.path_includes)?,
        path_excludes: texts("path_excludes", default.path_excludes)?,
        clone_url: place.clone_url,
        api_url: config.optional("api_url", read_api_url)?,
        submodules: switch("submodules", default.submodules)?,
        lfs: switch("lfs", default.lfs)?,
        poll: switch("poll", default.poll)?,
        ..default
    })
}

/// Where a repository is.
struct Place {
    owner: String,
    repo_name: String,
    clone_url: Option<CloneUrl>,
}

/// GitHub and GitLab are known by owner and name, everything else by its URL, which says both if nobody else does.
fn read_place(config: &Object<'_>, kind: SourceKind) -> Read<Place> {
    if !kind.needs_clone_url() {
        let (owner, repo_name) = (read_name(config, "owner")?, read_name(config, "repo_name")?);
        return Ok(Place { owner, repo_name, clone_url: config.optional("clone_url", read_clone_url)? });
    }
    let clone_url = config.required("clone_url", read_clone_url)?;
    let (owner, repo_name) = clone_url.owner_and_name();
    // A forge keeps repositories two steps below its root, which may itself be below a path.
    let owner = match kind {
        SourceKind::Git => owner,
        _ => owner.rsplit('/').next().unwrap_or(owner),
    };
    Ok(Place {
        owner: config.optional("owner", Node::text)?.unwrap_or_else(|| owner.to_owned()),
        repo_name: config.optional("repo_name", Node::text)?.unwrap_or_else(|| repo_name.to_owned()),
        clone_url: Some(clone_url),
    })
}

/// A name that becomes part of the clone URL.
fn read_name(config: &Object<'_>, member: &str) -> Read<String> {
    config.required(member, |node| {
        let name = node.str()?;
        let fits = |name: &str| CloneUrl::parse(&format!("https://host/{name}")).is_ok();
        if fits(name) {
            Ok(name.to_owned())
        } else {
            Err(node.refuse("must be a part of the repository's URL"))
        }
    })
}

/// Reads a change to a repository's settings.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_patch(node: &Node<'_>) -> Read<SourcePatch> {
    let object = node.object()?;
    let kind = object.optional("type", |kind| kind.one_of(&KINDS))?;
    let Some(config) = object.optional("config", Node::object)? else {
        return Ok(SourcePatch { kind, ..SourcePatch::default() });
    };
    let switch = |name| config.optional(name, Node::boolean);
    Ok(SourcePatch {
        kind,
        owner: config.optional("owner", Node::text)?,
        repo_name: config.optional("repo_name", Node::text)?,
        clone_url: config.optional("clone_url", read_clone_url)?,
        production_branch: config.optional("production_branch", read_branch)?,
        pr_comments_enabled: switch("pr_comments_enabled")?,
        deployments_enabled: switch("deployments_enabled")?,
        production_deployments_enabled: switch("production_deployments_enabled")?,
        preview_deployment_setting: preview_setting(&config)?,
        preview_branch_includes: config.optional("preview_branch_includes", Node::texts)?,
        preview_branch_excludes: config.optional("preview_branch_excludes", Node::texts)?,
        path_includes: config.optional("path_includes", Node::texts)?,
        path_excludes: config.optional("path_excludes", Node::texts)?,
        api_url: config.patch("api_url", read_api_url)?,
        submodules: config.or_default("submodules", false, Node::boolean)?,
        lfs: config.or_default("lfs", false, Node::boolean)?,
        poll: config.or_default("poll", false, Node::boolean)?,
    })
}

fn preview_setting(config: &Object<'_>) -> Read<Option<PreviewSetting>> {
    config.optional("preview_deployment_setting", |setting| setting.one_of(&PREVIEW_SETTINGS))
}

fn read_branch(node: &Node<'_>) -> Read<String> {
    let name = node.str()?;
    BranchName::parse(name).map(|_| name.to_owned()).map_err(|rule| node.refuse(is(rule)))
}

fn read_clone_url(node: &Node<'_>) -> Read<CloneUrl> {
    CloneUrl::parse(node.str()?).map_err(|rule| node.refuse(is(rule)))
}

fn read_api_url(node: &Node<'_>) -> Read<String> {
    let url = node.str()?;
    check_api_url(url).map(|()| url.to_owned()).map_err(|rule| node.refuse(is(rule)))
}

fn is(rule: InvalidName) -> String {
    format!("is not valid: {rule}")
}

#[cfg(test)]
mod tests;
