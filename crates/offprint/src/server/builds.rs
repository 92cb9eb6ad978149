//! How the server builds: its builder, started and tried out, and what the pipeline has to know about the rest.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use offprint_functions::FunctionRuntime;
use offprint_model::deployment::{Alias, Deployment};
use offprint_model::id::AccountId;
use offprint_pipeline::builder::{
    AllowList, BubblewrapBuilder, Builder, BuilderOptions, Helper, ProcessBuilder,
};
use offprint_pipeline::{BuildOptions, DeploymentLinks, FeedbackOptions, PipelineOptions, SiteLimits};
use offprint_wire::urls::SiteUrls;

use super::limits;
use crate::config::checked::{BuilderChoice, PublicUrl};
use crate::config::{self, ServeConfig};
use crate::sandbox_helper;

/// How long cloning a repository may take.
const CLONE_TIMEOUT: Duration = Duration::from_secs(300);
/// How often forges are told what they have not heard yet when nobody wakes the teller.
const FEEDBACK_IDLE: Duration = Duration::from_secs(1);

/// What the pipeline works with; `scratch` is a directory of this process, for the temporary files of builds.
///
/// # Errors
/// The builder that was asked for does not work on this machine.
pub(super) async fn pipeline_options(
    config: &ServeConfig,
    urls: &SiteUrls,
    public_url: &PublicUrl,
    functions: &Arc<dyn FunctionRuntime>,
    scratch: &Path,
) -> anyhow::Result<PipelineOptions> {
    let settings = &config.builds;
    Ok(PipelineOptions {
        variants: !config.strict,
        functions: Some(Arc::clone(functions)),
        builds: build_options(config, urls, scratch).await?,
        poll_interval: settings.poll_interval,
        feedback: Some(feedback_options(&settings.allow, urls, public_url)),
        ..PipelineOptions::default()
    })
}

async fn build_options(
    config: &ServeConfig,
    urls: &SiteUrls,
    scratch: &Path,
) -> anyhow::Result<Option<BuildOptions>> {
    let settings = &config.builds;
    let Some(builder) = builder(config, scratch).await? else {
        tracing::info!("this server does not build repositories");
        return Ok(None);
    };
    let (urls, limits) = (urls.clone(), limits(config));
    Ok(Some(BuildOptions {
        builder,
        workers: settings.workers,
        per_account: settings.per_account,
        limits: settings.limits,
        clone_timeout: CLONE_TIMEOUT,
        work_dir: config.data.join("builds"),
        cache_dir: config.data.join("build-cache"),
        tools: settings.tools.clone(),
        functions_tools: config::tools(config),
        local_repositories: settings.local_repositories.clone(),
        site_limits: SiteLimits {
            file_bytes_max: limits.file_bytes_max as u64,
            files_max: limits.files_max,
            worker_bytes_max: limits.worker_bytes_max as u64,
        },
        url_of: Arc::new(move |project, id| urls.deployment(project, id)),
    }))
}

async fn builder(config: &ServeConfig, scratch: &Path) -> anyhow::Result<Option<Arc<dyn Builder>>> {
    let settings = &config.builds;
    let options = || BuilderOptions {
        helper: Helper::this_program(sandbox_helper::SUBCOMMAND),
        scratch: scratch.to_owned(),
        allow: settings.allow.clone(),
        tools: settings.tools.clone(),
    };
    Ok(match settings.builder {
        BuilderChoice::Off => None,
        BuilderChoice::Process => {
            let builder =
                ProcessBuilder::start(options()).context("cannot start the builder without walls")?;
            Some(Arc::new(builder))
        }
        BuilderChoice::Bubblewrap => match BubblewrapBuilder::start(options()).await {
            Ok(builder) => Some(Arc::new(builder)),
            // Nobody asked for it: a machine that only serves shall not be kept from that.
            Err(error) if !settings.builder_required => {
                tracing::warn!(%error, "bubblewrap does not work on this machine; see docs/BUILD-ISOLATION.md");
                None
            }
            Err(error) => {
                let why = "bubblewrap does not work on this machine; see docs/BUILD-ISOLATION.md, or start with --builder off";
                return Err(error).context(why);
            }
        },
    })
}

/// Projects say themselves where the API of their forge is, so the server calls public addresses only, and those that
/// its operator has opened to builds.
fn feedback_options(allow: &AllowList, urls: &SiteUrls, public_url: &PublicUrl) -> FeedbackOptions {
    let (allow, urls, api) = (allow.clone(), urls.clone(), format!("{public_url}/client/v4"));
    FeedbackOptions {
        links: Arc::new(move |account, deployment| links(&urls, &api, account, deployment)),
        may_reach: Arc::new(move |host, port, address| allow.admits(host, port, address)),
        idle: FEEDBACK_IDLE,
    }
}

fn links(urls: &SiteUrls, api: &str, account: &AccountId, deployment: &Deployment) -> DeploymentLinks {
    let project = &deployment.project_name;
    let named = |alias: &&Alias| matches!(alias, Alias::Branch(_) | Alias::Production);
    DeploymentLinks {
        site: urls.deployment(project, &deployment.id),
        alias: deployment.aliases.iter().find(named).map(|alias| urls.alias(project, alias)),
        log: format!(
            "{api}/accounts/{account}/pages/projects/{project}/deployments/{}/history/logs",
            deployment.id
        ),
    }
}
