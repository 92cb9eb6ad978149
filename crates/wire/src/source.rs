//! `source`: the repository of a project that is built from git.

use std::borrow::Cow;

use offprint_model::project::{PreviewSetting, Source as Model, SourceKind, SourcePatch};
use serde::{Deserialize, Serialize};

use crate::json::{Node, Object, Read};

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// `github` or `gitlab`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// All thirteen members are there.
    pub config: SourceConfig,
}

/// The settings of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    pub preview_deployment_setting: Cow<'static, str>,
    /// Branch patterns that deploy.
    pub preview_branch_includes: Vec<String>,
    /// Branch patterns that do not.
    pub preview_branch_excludes: Vec<String>,
    /// Paths whose change deploys.
    pub path_includes: Vec<String>,
    /// Paths whose change does not.
    pub path_excludes: Vec<String>,
}

const KINDS: [(&str, SourceKind); 2] = [("github", SourceKind::Github), ("gitlab", SourceKind::Gitlab)];

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
    let switch = |name| Ok(config.optional(name, Node::boolean)?.unwrap_or(true));
    let text = |name| Ok(config.optional(name, Node::text)?.unwrap_or_default());
    let everything = || vec!["*".to_owned()];
    Ok(Model {
        kind,
        owner: config.required("owner", Node::text)?,
        owner_id: text("owner_id")?,
        repo_name: config.required("repo_name", Node::text)?,
        repo_id: text("repo_id")?,
        production_branch: match config.optional("production_branch", Node::text)? {
            Some(branch) => branch,
            None => production_branch.unwrap_or("main").to_owned(),
        },
        pr_comments_enabled: switch("pr_comments_enabled")?,
        deployments_enabled: switch("deployments_enabled")?,
        production_deployments_enabled: switch("production_deployments_enabled")?,
        preview_deployment_setting: preview_setting(&config)?.unwrap_or(PreviewSetting::All),
        preview_branch_includes: config
            .optional("preview_branch_includes", Node::texts)?
            .unwrap_or_else(everything),
        preview_branch_excludes: config.optional("preview_branch_excludes", Node::texts)?.unwrap_or_default(),
        path_includes: config.optional("path_includes", Node::texts)?.unwrap_or_else(everything),
        path_excludes: config.optional("path_excludes", Node::texts)?.unwrap_or_default(),
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
    Ok(SourcePatch {
        kind,
        owner: config.optional("owner", Node::text)?,
        repo_name: config.optional("repo_name", Node::text)?,
        production_branch: config.optional("production_branch", Node::text)?,
        pr_comments_enabled: config.optional("pr_comments_enabled", Node::boolean)?,
        deployments_enabled: config.optional("deployments_enabled", Node::boolean)?,
        production_deployments_enabled: config.optional("production_deployments_enabled", Node::boolean)?,
        preview_deployment_setting: preview_setting(&config)?,
        preview_branch_includes: config.optional("preview_branch_includes", Node::texts)?,
        preview_branch_excludes: config.optional("preview_branch_excludes", Node::texts)?,
        path_includes: config.optional("path_includes", Node::texts)?,
        path_excludes: config.optional("path_excludes", Node::texts)?,
    })
}

fn preview_setting(config: &Object<'_>) -> Read<Option<PreviewSetting>> {
    config.optional("preview_deployment_setting", |setting| setting.one_of(&PREVIEW_SETTINGS))
}
