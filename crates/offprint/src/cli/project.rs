//! `offprint project`, and the choice of a project by the commands that need one.

use anyhow::{Context, bail, ensure};
use offprint_client::PagesClient;
use offprint_client::types::Project;
use offprint_model::name::{BranchName, ProjectName};

use super::args::ApiArgs;
use super::{output, prompt};

/// What to do with projects.
#[derive(clap::Subcommand)]
pub(crate) enum ProjectCommand {
    /// List the account's projects
    List {
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Create a project
    Create {
        /// Its name, which becomes part of its host: lower-case letters, digits and dashes
        name: String,
        /// Deployments of this branch go live on the project's own host
        #[arg(long, value_name = "BRANCH", default_value = "main")]
        production_branch: String,
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Delete a project with all its deployments
    Delete {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        api: ApiArgs,
    },
}

/// Runs the command.
///
/// # Errors
/// The API refused or could not be reached.
pub(crate) async fn run(command: ProjectCommand) -> anyhow::Result<()> {
    match command {
        ProjectCommand::List { json, api } => list(&api.client().await?, json).await,
        ProjectCommand::Create { name, production_branch, json, api } => {
            let project = create(&api.client().await?, &name, &production_branch).await?;
            if json { output::json(&project) } else { output::line(format_args!("{}", project.subdomain)) }
        }
        ProjectCommand::Delete { name, yes, api } => {
            let client = api.client().await?;
            prompt::confirm_or_flag(&format!("Delete {name} and all its deployments for good?"), yes)?;
            client.delete_project(&name).await?;
            output::note(format_args!("Deleted {name}."));
            Ok(())
        }
    }
}

async fn list(client: &PagesClient, json: bool) -> anyhow::Result<()> {
    let projects = client.projects().await?;
    if json {
        return output::json(&projects);
    }
    if projects.is_empty() {
        output::note(format_args!("No projects yet; create one with `offprint project create NAME`."));
        return Ok(());
    }
    let row = |project: &Project| {
        let latest = project.latest_deployment.as_ref().map_or("never", |latest| latest.created_on.as_str());
        let hosts = project.domains.join(", ");
        [project.name.clone(), hosts, project.production_branch.clone(), latest.to_owned()]
    };
    let rows: Vec<_> = projects.iter().map(row).collect();
    output::table(&["name", "hosts", "production branch", "last deployed"], &rows, false)
}

/// Creates a project, its name checked before anything is sent.
///
/// # Errors
/// A name breaks a rule, or the API refused.
pub(crate) async fn create(
    client: &PagesClient,
    name: &str,
    production_branch: &str,
) -> anyhow::Result<Project> {
    let name = ProjectName::parse(name).with_context(|| format!("'{name}' cannot name a project"))?;
    let branch = BranchName::parse(production_branch)
        .with_context(|| format!("'{production_branch}' cannot name a branch"))?;
    let project = client.create_project(name.as_str(), branch.as_str()).await?;
    output::note(format_args!("Created {}; the branch {branch} goes live on it.", project.name));
    Ok(project)
}

/// The project that is meant: the one named, else the one in `wrangler.toml`, else the account's only one.
///
/// # Errors
/// It cannot be told.
pub(crate) async fn choose(client: &PagesClient, named: Option<String>) -> anyhow::Result<String> {
    if let Some(name) = named.or_else(in_wrangler_toml) {
        // A script's variable that is not set, as a rule; another project must not take its place.
        ensure!(!name.trim().is_empty(), "the project's name is empty; name one with --project");
        return Ok(name);
    }
    let mut projects = client.some_projects().await?;
    match (projects.pop(), projects.is_empty()) {
        (Some(only), true) => Ok(only.name),
        (None, _) => bail!("there is no project yet; name one with --project (`deploy --create` makes it)"),
        (Some(last), false) => {
            projects.push(last);
            let names: Vec<_> = projects.iter().map(|project| project.name.as_str()).collect();
            bail!("say which project with --project: {}", names.join(", "))
        }
    }
}

/// The name in the working directory's Wrangler configuration, if that is one for Pages.
fn in_wrangler_toml() -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Wrangler {
        name: Option<String>,
        pages_build_output_dir: Option<String>,
    }
    let text = std::fs::read_to_string("wrangler.toml").ok()?;
    let wrangler: Wrangler = toml::from_str(&text).ok()?;
    wrangler.pages_build_output_dir.and(wrangler.name)
}
