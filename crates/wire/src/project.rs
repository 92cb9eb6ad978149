//! A project, as the Pages API shows it.

use offprint_model::deployment::Deployment as ModelDeployment;
use offprint_model::project::Project as Model;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::build_config::ProjectBuildConfig;
use crate::deployment::Deployment;
use crate::environment::DeploymentConfig;
use crate::source::Source;
use crate::time::Time;
use crate::urls::SiteUrls;

/// A project. Members and their order are those of recorded answers of the real API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Project {
    /// A UUID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `<name>.<domain>`.
    #[serde(default)]
    pub subdomain: String,
    /// The project's own host, then its custom domains. Never `null`: wrangler joins it.
    #[serde(default)]
    pub domains: Vec<String>,
    /// The repository; absent for direct uploads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// How it is built.
    #[serde(default)]
    pub build_config: ProjectBuildConfig,
    /// Settings of the two environments.
    pub deployment_configs: DeploymentConfigs,
    /// The newest deployment of any environment.
    #[serde(default)]
    pub latest_deployment: Option<Deployment>,
    /// The production deployment that is live.
    #[serde(default)]
    pub canonical_deployment: Option<Deployment>,
    /// When it was made.
    pub created_on: Time,
    /// The branch that deploys to production.
    pub production_branch: String,
    /// `pages-worker--<number>-production`.
    #[serde(default)]
    pub production_script_name: String,
    /// `pages-worker--<number>-preview`.
    #[serde(default)]
    pub preview_script_name: String,
    /// Whether the live deployment has a Worker.
    #[serde(default)]
    pub uses_functions: Option<bool>,
    /// Always empty.
    #[serde(default)]
    pub framework: String,
    /// Always empty.
    #[serde(default)]
    pub framework_version: String,
}

/// The two environments. Both are always objects: wrangler reads into both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentConfigs {
    /// Of previews.
    pub preview: DeploymentConfig,
    /// Of production.
    pub production: DeploymentConfig,
}

impl Project {
    /// Shows a project together with its newest and its live deployment.
    pub fn new(
        model: &Model,
        latest: Option<&ModelDeployment>,
        canonical: Option<&ModelDeployment>,
        urls: &SiteUrls,
    ) -> Self {
        let host = urls.project_host(&model.name);
        let custom = model.domains.iter().map(ToString::to_string);
        let script = |environment| format!("pages-worker--{}-{environment}", model.script_number);
        Self {
            id: model.id.to_string(),
            name: model.name.to_string(),
            subdomain: host.clone(),
            domains: std::iter::once(host).chain(custom).collect(),
            source: model.source.as_ref().map(Source::from),
            build_config: ProjectBuildConfig::from(&model.build_config),
            deployment_configs: DeploymentConfigs {
                preview: DeploymentConfig::from(&model.preview),
                production: DeploymentConfig::from(&model.production),
            },
            latest_deployment: latest.map(|deployment| Deployment::new(deployment, urls)),
            canonical_deployment: canonical.map(|deployment| Deployment::new(deployment, urls)),
            created_on: Time(model.created),
            production_branch: model.production_branch.to_string(),
            production_script_name: script("production"),
            preview_script_name: script("preview"),
            uses_functions: Some(canonical.or(latest).is_some_and(|deployment| deployment.uses_functions)),
            framework: String::new(),
            framework_version: String::new(),
        }
    }
}
