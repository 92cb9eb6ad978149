//! `offprint deployment`.

use std::time::Duration;

use anyhow::bail;
use clap::builder::RangedU64ValueParser;
use offprint_client::PagesClient;
use offprint_client::deploy::until_live;
use offprint_client::types::Deployment;

use super::args::ApiArgs;
use super::{follow, output, progress, project, prompt, tail};

/// How long `retry` waits for the new deployment to go live.
const PATIENCE: Duration = Duration::from_secs(600);
/// How many pages of deployments are searched for the beginning of an id.
const SEARCH_PAGES_MAX: usize = 40;

/// What to do with deployments.
#[derive(clap::Subcommand)]
pub(crate) enum DeploymentCommand {
    /// List a project's deployments, newest first
    List {
        /// Only those of one environment
        #[arg(long, value_enum)]
        environment: Option<Environment>,
        /// How many at the most
        #[arg(long, default_value_t = 25, value_name = "COUNT", value_parser = at_least_one())]
        limit: usize,
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        of: ProjectArgs,
    },
    /// Show one deployment and its stages
    Info {
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        which: DeploymentArgs,
    },
    /// Delete a deployment; the live production deployment cannot be deleted
    Delete {
        /// Delete it even if it is the newest of its branch
        #[arg(long)]
        force: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        which: DeploymentArgs,
    },
    /// Build the newest commit of a branch from the project's repository
    Build {
        /// The branch [default: the production branch]
        #[arg(long, value_name = "BRANCH")]
        branch: Option<String>,
        /// Print the log while it is written, and fail unless the deployment goes live
        #[arg(long, short)]
        follow: bool,
        /// Print the API's answer as JSON
        #[arg(long, conflicts_with = "follow")]
        json: bool,
        #[command(flatten)]
        of: ProjectArgs,
    },
    /// Stop a deployment that has not ended; nothing of it goes live
    Cancel {
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        which: DeploymentArgs,
    },
    /// Make a new deployment of the same content, or of the same commit
    Retry {
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        which: DeploymentArgs,
    },
    /// Make an earlier deployment the live one, at once and without an upload
    Rollback {
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        which: DeploymentArgs,
    },
    /// Print a deployment's log
    Logs {
        /// Go on printing while the log is written, and fail unless the deployment goes live
        #[arg(long, short)]
        follow: bool,
        /// Print the API's answer as JSON
        #[arg(long, conflicts_with = "follow")]
        json: bool,
        #[command(flatten)]
        which: DeploymentArgs,
    },
    /// Watch what the Functions of a deployment say while they run
    Tail(tail::TailArgs),
    /// Show the recent calls of a deployment's Functions that failed
    Exceptions(tail::ExceptionsArgs),
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// Which project.
#[derive(clap::Args)]
pub(crate) struct ProjectArgs {
    /// The project; not needed where there is only one, or wrangler.toml names it
    #[arg(long, short, value_name = "NAME")]
    project: Option<String>,
    #[command(flatten)]
    api: ApiArgs,
}

/// Which deployment.
#[derive(clap::Args)]
pub(crate) struct DeploymentArgs {
    /// Its id, the beginning of its id, or its URL
    #[arg(value_name = "DEPLOYMENT")]
    id: String,
    #[command(flatten)]
    of: ProjectArgs,
}

/// Production or preview.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Environment {
    /// Deployments of the production branch
    Production,
    /// All others
    Preview,
}

/// Runs the command.
///
/// # Errors
/// The API refused or could not be reached.
pub(crate) async fn run(command: DeploymentCommand) -> anyhow::Result<()> {
    match command {
        DeploymentCommand::List { environment, limit, json, of } => list(of, environment, limit, json).await,
        DeploymentCommand::Info { json, which } => {
            let (client, project, id) = find(which).await?;
            show(&client.deployment(&project, &id).await?, json)
        }
        DeploymentCommand::Delete { force, yes, which } => {
            let (client, project, id) = find(which).await?;
            prompt::confirm_or_flag(&format!("Delete the deployment {id} of {project} for good?"), yes)?;
            client.delete_deployment(&project, &id, force).await?;
            output::note(format_args!("Deleted {id}."));
            Ok(())
        }
        DeploymentCommand::Build { branch, follow, json, of } => build(of, branch, follow, json).await,
        DeploymentCommand::Cancel { json, which } => {
            let (client, project, id) = find(which).await?;
            let canceled = client.cancel_deployment(&project, &id).await?;
            if json {
                return output::json(&canceled);
            }
            output::note(format_args!("Canceled {id}."));
            Ok(())
        }
        DeploymentCommand::Retry { json, which } => retry(which, json).await,
        DeploymentCommand::Rollback { json, which } => {
            let (client, project, id) = find(which).await?;
            let live = client.rollback(&project, &id).await?;
            output::note(format_args!("{project} is back at {}.", live.id));
            url_or_json(&live, json)
        }
        DeploymentCommand::Logs { follow: true, which, .. } => {
            let (client, project, id) = find(which).await?;
            let live = follow::follow(&client, &project, &id).await?;
            output::note(format_args!("Live at {}", live.url));
            Ok(())
        }
        DeploymentCommand::Logs { json, which, .. } => logs(which, json).await,
        DeploymentCommand::Tail(args) => tail::tail(args).await,
        DeploymentCommand::Exceptions(args) => tail::exceptions(args).await,
    }
}

async fn list(
    of: ProjectArgs,
    environment: Option<Environment>,
    limit: usize,
    json: bool,
) -> anyhow::Result<()> {
    let client = of.api.client().await?;
    let project = project::choose(&client, of.project).await?;
    let environment = environment.map(|environment| match environment {
        Environment::Production => "production",
        Environment::Preview => "preview",
    });
    let deployments = client.newest_deployments(&project, environment, limit).await?;
    if json {
        return output::json(&deployments);
    }
    if deployments.is_empty() {
        output::note(format_args!("{project} has no deployments yet; make one with `offprint deploy DIR`."));
        return Ok(());
    }
    let row = |deployment: &Deployment| {
        let id = if deployment.short_id.is_empty() { &deployment.id } else { &deployment.short_id };
        [
            id.clone(),
            deployment.environment.clone(),
            deployment.branch().to_owned(),
            deployment.commit_short().to_owned(),
            status(deployment),
            deployment.created_on.clone(),
            deployment.url.clone(),
        ]
    };
    let rows: Vec<_> = deployments.iter().map(row).collect();
    output::table(&["id", "environment", "branch", "commit", "status", "created", "url"], &rows, false)
}

fn status(deployment: &Deployment) -> String {
    let stage = &deployment.latest_stage;
    if stage.name == "deploy" { stage.status.clone() } else { format!("{} {}", stage.name, stage.status) }
}

fn show(deployment: &Deployment, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(deployment);
    }
    let metadata = &deployment.deployment_trigger.metadata;
    let subject = metadata.commit_message.lines().next().unwrap_or_default();
    let facts = [
        ("id", deployment.id.clone()),
        ("project", deployment.project_name.clone()),
        ("environment", deployment.environment.clone()),
        ("status", status(deployment)),
        ("url", deployment.url.clone()),
        ("aliases", deployment.aliases.join(", ")),
        ("branch", metadata.branch.clone()),
        ("commit", format!("{} {subject}", metadata.commit_hash).trim().to_owned()),
        ("trigger", deployment.deployment_trigger.kind.clone()),
        ("created", deployment.created_on.clone()),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        output::line(format_args!("{name:12} {value}"))?;
    }
    for stage in deployment.stages.iter().filter(|stage| stage.status != "idle") {
        let times = [&stage.started_on, &stage.ended_on].map(|time| time.as_deref().unwrap_or("-"));
        output::line(format_args!("{:12} {:8} {} to {}", stage.name, stage.status, times[0], times[1]))?;
    }
    Ok(())
}

async fn retry(which: DeploymentArgs, json: bool) -> anyhow::Result<()> {
    let (client, project, id) = find(which).await?;
    let made = client.retry_deployment(&project, &id).await?;
    let observer = progress::observer();
    observer(offprint_client::deploy::Event::Created(Box::new(made.clone())));
    let live = until_live(&client, &project, made, PATIENCE, &observer).await;
    output::set_bar(None);
    url_or_json(&live?, json)
}

async fn logs(which: DeploymentArgs, json: bool) -> anyhow::Result<()> {
    let (client, project, id) = find(which).await?;
    let log = client.deployment_log(&project, &id).await?;
    if json {
        return output::json(&log);
    }
    log.data.iter().try_for_each(follow::print)
}

async fn build(of: ProjectArgs, branch: Option<String>, follow_log: bool, json: bool) -> anyhow::Result<()> {
    let client = of.api.client().await?;
    let project = project::choose(&client, of.project).await?;
    let made = client.build(&project, branch.as_deref()).await?;
    if !follow_log {
        output::note(format_args!("Follow it with `offprint deployment logs {} --follow`.", made.id));
        return url_or_json(&made, json);
    }
    url_or_json(&follow::follow(&client, &project, &made.id).await?, false)
}

fn url_or_json(deployment: &Deployment, json: bool) -> anyhow::Result<()> {
    if json { output::json(deployment) } else { output::line(format_args!("{}", deployment.url)) }
}

/// The API takes full ids only; people have the beginning of one, or a URL.
pub(super) async fn find(which: DeploymentArgs) -> anyhow::Result<(PagesClient, String, String)> {
    let client = which.of.api.client().await?;
    let project = project::choose(&client, which.of.project).await?;
    let text = which.id.trim().to_owned();
    if is_full_id(&text) {
        return Ok((client, project, text));
    }
    let mut found: Vec<String> = Vec::new();
    for page in 1..=SEARCH_PAGES_MAX {
        let deployments = client.deployments(&project, None, page).await?;
        found.extend(deployments.iter().filter(|d| is_meant(d, &text)).map(|d| d.id.clone()));
        if deployments.len() < 25 {
            break;
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(id), true) => Ok((client, project, id)),
        (None, _) => bail!("{project} has no deployment {text}; see `offprint deployment list`"),
        (Some(_), false) => bail!("several deployments of {project} begin with {text}; give more of the id"),
    }
}

fn is_full_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

fn is_meant(deployment: &Deployment, text: &str) -> bool {
    match text.contains("://") {
        true => deployment.url.trim_end_matches('/') == text.trim_end_matches('/'),
        false => text.len() >= 4 && deployment.id.starts_with(&text.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployments_are_meant_by_the_beginning_of_the_id_or_by_url() {
        let id = "0a1b2c3d-0000-4000-8000-000000000000";
        let json = serde_json::json!({"id": id, "url": "http://0a1b2c3d.site.pages.localhost:8788"});
        let deployment: Deployment = serde_json::from_value(json).unwrap();
        for text in ["0a1b", "0A1B2C3D", id, "http://0a1b2c3d.site.pages.localhost:8788/"] {
            assert!(is_meant(&deployment, text), "{text}");
        }
        for text in ["0a1", "1b2c", "http://site.pages.localhost:8788"] {
            assert!(!is_meant(&deployment, text), "{text}");
        }
        assert!(is_full_id(id) && !is_full_id("0a1b2c3d"));
    }
}
