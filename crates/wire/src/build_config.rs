//! `build_config`, of projects and of deployments.
//!
//! They differ in what is absent: a project shows the Web Analytics members always and the others once
//! set; a deployment shows all six, `null` when unset (as recorded answers of the real API do).

use offprint_model::config::{BuildConfig as Model, BuildConfigPatch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::{Node, Read};

/// How a project is built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectBuildConfig {
    /// The command that builds the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_command: Option<String>,
    /// Where the build leaves the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_dir: Option<String>,
    /// Whether builds may use the cache. Terraform reports a drift if it appears unasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_caching: Option<bool>,
    /// Where the command runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_dir: Option<String>,
    /// Web Analytics tag.
    #[serde(default)]
    pub web_analytics_tag: Option<String>,
    /// Web Analytics token.
    #[serde(default)]
    pub web_analytics_token: Option<String>,
}

/// How a deployment was built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentBuildConfig {
    /// The command that built the site.
    #[serde(default)]
    pub build_command: Option<String>,
    /// Where the build left the site.
    #[serde(default)]
    pub destination_dir: Option<String>,
    /// Whether the cache could be used.
    #[serde(default)]
    pub build_caching: Option<bool>,
    /// Where the command ran.
    #[serde(default)]
    pub root_dir: Option<String>,
    /// Web Analytics tag.
    #[serde(default)]
    pub web_analytics_tag: Option<String>,
    /// Web Analytics token.
    #[serde(default)]
    pub web_analytics_token: Option<String>,
}

impl From<&Model> for ProjectBuildConfig {
    fn from(model: &Model) -> Self {
        let model = model.clone();
        Self {
            build_command: model.build_command,
            destination_dir: model.destination_dir,
            build_caching: model.build_caching,
            root_dir: model.root_dir,
            web_analytics_tag: model.web_analytics_tag,
            web_analytics_token: model.web_analytics_token,
        }
    }
}

impl From<&Model> for DeploymentBuildConfig {
    fn from(model: &Model) -> Self {
        let model = model.clone();
        Self {
            build_command: model.build_command,
            destination_dir: model.destination_dir,
            build_caching: model.build_caching,
            root_dir: model.root_dir,
            web_analytics_tag: model.web_analytics_tag,
            web_analytics_token: model.web_analytics_token,
        }
    }
}

/// Reads a change: `null` for a member goes back to nothing.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_patch(node: &Node<'_>) -> Read<BuildConfigPatch> {
    let object = node.object()?;
    Ok(BuildConfigPatch {
        build_caching: object.patch("build_caching", Node::boolean)?,
        build_command: object.patch("build_command", Node::text)?,
        destination_dir: object.patch("destination_dir", Node::text)?,
        root_dir: object.patch("root_dir", Node::text)?,
        web_analytics_tag: object.patch("web_analytics_tag", Node::text)?,
        web_analytics_token: object.patch("web_analytics_token", Node::text)?,
    })
}
