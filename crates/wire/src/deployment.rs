//! A deployment, as the Pages API shows it.

use std::borrow::Cow;

use offprint_model::deployment::{Alias, Deployment as Model};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::build_config::DeploymentBuildConfig;
use crate::environment::{EnvVars, env_vars};
use crate::source::Source;
use crate::stage::{self, Stage};
use crate::time::Time;
use crate::urls::SiteUrls;

/// A deployment. Members and their order are those of recorded answers of the real API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Deployment {
    /// A UUID.
    pub id: String,
    /// The first eight characters of `id`: the label of its host.
    pub short_id: String,
    /// The project.
    pub project_id: String,
    /// The project's name.
    pub project_name: String,
    /// `production` or `preview`.
    #[schemars(extend("enum" = ["production", "preview"]))]
    pub environment: Cow<'static, str>,
    /// Its own URL, for ever.
    pub url: String,
    /// When it was asked for.
    pub created_on: Time,
    /// When it last changed.
    pub modified_on: Time,
    /// What polling clients look at: an earlier stage while the deployment is in progress.
    pub latest_stage: Stage,
    /// What caused it.
    pub deployment_trigger: DeploymentTrigger,
    /// All five.
    pub stages: Vec<Stage>,
    /// The build settings it was made with.
    pub build_config: DeploymentBuildConfig,
    /// The repository; absent for direct uploads, as in the real service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The variables it was made with, secrets blank.
    #[serde(default)]
    pub env_vars: Option<EnvVars>,
    /// Of its Functions.
    #[serde(default)]
    pub compatibility_date: Option<String>,
    /// Of its Functions.
    #[serde(default)]
    pub compatibility_flags: Option<Vec<String>>,
    /// 1, 2 or 3.
    #[serde(default)]
    pub build_image_major_version: Option<u32>,
    /// `null` for a static site, `bundled` with Functions.
    #[serde(default)]
    pub usage_model: Option<Cow<'static, str>>,
    /// URLs besides its own; `null` when there are none.
    #[serde(default)]
    pub aliases: Option<Vec<String>>,
    /// Whether nothing was built.
    #[serde(default)]
    pub is_skipped: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<Cow<'static, str>>,
    /// The project's production branch when it was made.
    #[serde(default)]
    pub production_branch: Option<String>,
    /// Whether it has a Worker.
    #[serde(default)]
    pub uses_functions: Option<bool>,
}

/// What caused a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentTrigger {
    /// `ad_hoc`, `deploy_hook`, or a push: `github:push`, `gitlab:push`, and our `forgejo:push`, `gitea:push` and
    /// `git:push`.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["ad_hoc", "deploy_hook", "github:push", "gitlab:push", "forgejo:push", "gitea:push", "git:push"]))]
    pub kind: Cow<'static, str>,
    /// The commit.
    pub metadata: TriggerMetadata,
}

/// The commit of a deployment. Unknown is `""`, never `null`: wrangler slices the hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TriggerMetadata {
    /// The branch.
    pub branch: String,
    /// The hash.
    pub commit_hash: String,
    /// The message.
    pub commit_message: String,
    /// Whether the work tree differed.
    #[serde(default)]
    pub commit_dirty: bool,
}

impl Deployment {
    /// Shows a deployment.
    pub fn new(model: &Model, urls: &SiteUrls) -> Self {
        Self {
            id: model.id.to_string(),
            short_id: model.id.short().to_owned(),
            project_id: model.project_id.to_string(),
            project_name: model.project_name.to_string(),
            environment: Cow::Borrowed(model.environment.as_str()),
            url: urls.deployment(&model.project_name, &model.id),
            created_on: Time(model.created),
            modified_on: Time(model.modified),
            latest_stage: stage::latest(&model.stages),
            deployment_trigger: trigger(model),
            stages: stage::all(&model.stages),
            build_config: DeploymentBuildConfig::from(&model.build_config),
            source: model.source.as_ref().map(Source::from),
            env_vars: Some(env_vars(&model.config)),
            compatibility_date: Some(model.config.compatibility_date.clone()),
            compatibility_flags: Some(model.config.compatibility_flags.clone()),
            build_image_major_version: Some(model.config.build_image_major_version),
            usage_model: model.uses_functions.then_some(Cow::Borrowed("bundled")),
            aliases: aliases(model, urls),
            is_skipped: model.skipped.is_some(),
            skip_reason: model.skipped.map(|reason| Cow::Borrowed(reason.as_str())),
            production_branch: Some(model.production_branch.to_string()),
            uses_functions: Some(model.uses_functions),
        }
    }
}

fn trigger(model: &Model) -> DeploymentTrigger {
    DeploymentTrigger {
        kind: Cow::Borrowed(model.trigger.as_str()),
        metadata: TriggerMetadata {
            branch: model.branch.to_string(),
            commit_hash: model.commit.hash.clone(),
            commit_message: model.commit.message.clone(),
            commit_dirty: model.commit.dirty,
        },
    }
}

/// The branch's host for a preview, active custom domains for production; the project's own host is not
/// called an alias.
fn aliases(model: &Model, urls: &SiteUrls) -> Option<Vec<String>> {
    let shown: Vec<String> = model
        .aliases
        .iter()
        .filter(|alias| **alias != Alias::Production)
        .map(|alias| urls.alias(&model.project_name, alias))
        .collect();
    (!shown.is_empty()).then_some(shown)
}
