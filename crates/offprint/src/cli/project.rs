//! `offprint project`, and the choice of a project by the commands that need one.

use anyhow::{Context, bail, ensure};
use offprint_client::PagesClient;
use offprint_client::types::Project;
use offprint_model::name::{BranchName, ProjectName};
use serde_json::{Value, json};

use super::args::ApiArgs;
use super::hook::{self, HookCommand};
use super::source::{self, SourceCommand};
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
        #[command(flatten)]
        repository: RepositoryArgs,
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        api: ApiArgs,
    },
    /// The repository that a project is built from
    #[command(subcommand)]
    Source(SourceCommand),
    /// Addresses that build a branch when they are called
    #[command(subcommand)]
    Hook(HookCommand),
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

/// From which repository a new project is built, and how. The repository is fixed from then on.
#[derive(clap::Args)]
#[command(next_help_heading = "Repository")]
pub(crate) struct RepositoryArgs {
    /// Build from this repository: an https, ssh or file URL, or `github:OWNER/NAME` and `gitlab:OWNER/NAME`
    #[arg(long, value_name = "URL")]
    repository: Option<String>,
    /// What answers there: its webhooks and its API [default: told by the URL, else `git`]
    #[arg(long, value_name = "KIND", requires = "repository")]
    #[arg(value_parser = ["github", "gitlab", "forgejo", "gitea", "git"])]
    forge: Option<String>,
    /// What builds the site; none: told by the repository's files, or the folder is deployed as it is
    #[arg(long, value_name = "COMMAND", requires = "repository")]
    build_command: Option<String>,
    /// The folder that the build leaves the site in, below the root directory
    #[arg(long, value_name = "FOLDER", requires = "repository")]
    output: Option<String>,
    /// The folder of the repository in which the build runs
    #[arg(long, value_name = "FOLDER", requires = "repository")]
    root: Option<String>,
    /// Look for new commits from time to time, where webhooks cannot reach the server
    #[arg(long, requires = "repository")]
    poll: bool,
}

impl RepositoryArgs {
    /// The members of a project request that say so; nothing without a repository.
    ///
    /// # Errors
    /// `github:` or `gitlab:` without an owner and a name.
    fn into_json(self, production_branch: &str) -> anyhow::Result<serde_json::Map<String, Value>> {
        let Some(repository) = self.repository else { return Ok(serde_json::Map::new()) };
        let mut config = json!({ "production_branch": production_branch, "poll": self.poll });
        let short =
            ["github", "gitlab"].into_iter().find_map(|kind| Some((kind, repository.strip_prefix(kind)?)));
        let kind = match short.and_then(|(kind, rest)| Some((kind, rest.strip_prefix(':')?))) {
            Some((kind, path)) => {
                let (owner, name) =
                    path.rsplit_once('/').with_context(|| format!("{repository}: {kind}:OWNER/NAME"))?;
                config["owner"] = owner.into();
                config["repo_name"] = name.into();
                kind.to_owned()
            }
            None => {
                let kind = self.forge.unwrap_or_else(|| forge_of(&repository).to_owned());
                if let Some((owner, name)) = path_of(&repository) {
                    config["owner"] = owner.into();
                    config["repo_name"] = name.into();
                }
                config["clone_url"] = repository.into();
                kind
            }
        };
        let build = json!({
            "build_command": self.build_command,
            "destination_dir": self.output,
            "root_dir": self.root.unwrap_or_default(),
        });
        let source = json!({ "type": kind, "config": config });
        Ok([("build_config".to_owned(), build), ("source".to_owned(), source)].into_iter().collect())
    }
}

/// The two forges that everyone knows by their host.
fn forge_of(url: &str) -> &'static str {
    let has_host = |host: &str| {
        url.starts_with(&format!("https://{host}/"))
            || url.contains(&format!("@{host}:"))
            || url.contains(&format!("@{host}/"))
    };
    if has_host("github.com") {
        "github"
    } else if has_host("gitlab.com") {
        "gitlab"
    } else if has_host("codeberg.org") {
        "forgejo"
    } else {
        "git"
    }
}

/// Owner and name at the end of a URL; on GitLab the owner may be several groups.
fn path_of(url: &str) -> Option<(String, String)> {
    let path = match url.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split_once('/')?.1,
        None => url.split_once(':')?.1,
    };
    let path = path.trim_matches('/');
    let (owner, name) = path.strip_suffix(".git").unwrap_or(path).rsplit_once('/')?;
    Some((owner.to_owned(), name.to_owned()))
}

/// Runs the command.
///
/// # Errors
/// The API refused or could not be reached.
pub(crate) async fn run(command: ProjectCommand) -> anyhow::Result<()> {
    match command {
        ProjectCommand::List { json, api } => list(&api.client().await?, json).await,
        ProjectCommand::Source(command) => source::run(command).await,
        ProjectCommand::Hook(command) => hook::run(command).await,
        ProjectCommand::Create { name, production_branch, repository, json, api } => {
            let more = repository.into_json(&production_branch)?;
            let is_built = !more.is_empty();
            let project = create_with(&api.client().await?, &name, &production_branch, more).await?;
            if is_built {
                output::note(format_args!(
                    "Next: `offprint project source show --project {name}` names the webhook."
                ));
            }
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
    create_with(client, name, production_branch, serde_json::Map::new()).await
}

async fn create_with(
    client: &PagesClient,
    name: &str,
    production_branch: &str,
    more: serde_json::Map<String, Value>,
) -> anyhow::Result<Project> {
    let name = ProjectName::parse(name).with_context(|| format!("'{name}' cannot name a project"))?;
    let branch = BranchName::parse(production_branch)
        .with_context(|| format!("'{production_branch}' cannot name a branch"))?;
    let project = client.create_project_with(name.as_str(), branch.as_str(), more).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request(repository: &str) -> Value {
        let args = RepositoryArgs {
            repository: Some(repository.to_owned()),
            forge: None,
            build_command: Some("npm run build".into()),
            output: Some("dist".into()),
            root: None,
            poll: false,
        };
        Value::Object(args.into_json("main").unwrap())
    }

    #[test]
    fn a_repository_is_named_shortly_or_by_its_url() {
        for (text, kind, owner, name, clone_url) in [
            ("github:octo/site", "github", "octo", "site", None),
            ("gitlab:group/sub/site", "gitlab", "group/sub", "site", None),
            ("https://github.com/octo/site.git", "github", "octo", "site", Some(())),
            ("git@gitlab.com:group/sub/site.git", "gitlab", "group/sub", "site", Some(())),
            ("https://codeberg.org/octo/site", "forgejo", "octo", "site", Some(())),
            ("https://git.example/octo/site.git", "git", "octo", "site", Some(())),
        ] {
            let source = &request(text)["source"];
            assert_eq!(source["type"], kind, "{text}");
            assert_eq!(
                (&source["config"]["owner"], &source["config"]["repo_name"]),
                (&json!(owner), &json!(name))
            );
            assert_eq!(
                source["config"].get("clone_url").map(|url| assert_eq!(url, text)),
                clone_url,
                "{text}"
            );
        }
        assert_eq!(request("github:octo/site")["build_config"]["build_command"], "npm run build");
        assert!(request("file:///srv/git/site.git")["source"]["config"].get("owner").is_none());
    }
}
