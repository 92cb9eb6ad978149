//! `offprint project hook`.

use offprint_client::types::DeployHook;

use super::args::ApiArgs;
use super::{output, project, prompt};

/// What to do with deploy hooks.
#[derive(clap::Subcommand)]
pub(crate) enum HookCommand {
    /// List a project's deploy hooks; their addresses are secrets
    List {
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        of: HookArgs,
    },
    /// Make an address that builds a branch when it is called, and print it
    Create {
        /// What it is for
        name: String,
        /// The branch that it builds
        #[arg(long, value_name = "BRANCH", default_value = "main")]
        branch: String,
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        of: HookArgs,
    },
    /// End a deploy hook at once
    Delete {
        /// Its id, as `offprint project hook list` shows it
        id: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        of: HookArgs,
    },
}

/// Which project.
#[derive(clap::Args)]
pub(crate) struct HookArgs {
    /// The project; not needed where there is only one, or wrangler.toml names it
    #[arg(long, short, value_name = "NAME")]
    project: Option<String>,
    #[command(flatten)]
    api: ApiArgs,
}

/// Runs the command.
///
/// # Errors
/// The API refused or could not be reached.
pub(crate) async fn run(command: HookCommand) -> anyhow::Result<()> {
    match command {
        HookCommand::List { json, of } => list(of, json).await,
        HookCommand::Create { name, branch, json, of } => {
            let client = of.api.client().await?;
            let project = project::choose(&client, of.project).await?;
            let hook = client.create_deploy_hook(&project, &name, &branch).await?;
            if json {
                return output::json(&hook);
            }
            output::note(format_args!("A POST to this address builds the branch {}:", hook.branch));
            output::line(format_args!("{}", address(&hook, &of.api)))
        }
        HookCommand::Delete { id, yes, of } => {
            let client = of.api.client().await?;
            let project = project::choose(&client, of.project).await?;
            prompt::confirm_or_flag(&format!("End the deploy hook {id} of {project} for good?"), yes)?;
            client.delete_deploy_hook(&project, &id).await?;
            output::note(format_args!("Deleted {id}."));
            Ok(())
        }
    }
}

async fn list(of: HookArgs, json: bool) -> anyhow::Result<()> {
    let client = of.api.client().await?;
    let project = project::choose(&client, of.project).await?;
    let hooks = client.deploy_hooks(&project).await?;
    if json {
        return output::json(&hooks);
    }
    if hooks.is_empty() {
        output::note(format_args!(
            "{project} has no deploy hooks; make one with `offprint project hook create`."
        ));
        return Ok(());
    }
    let row = |hook: &DeployHook| {
        [
            hook.id.clone(),
            hook.name.clone(),
            hook.branch.clone(),
            hook.created_on.clone(),
            address(hook, &of.api),
        ]
    };
    let rows: Vec<_> = hooks.iter().map(row).collect();
    output::table(&["id", "name", "branch", "created", "address"], &rows, false)
}

/// The server's own word, else the address that the API's documentation gives.
fn address(hook: &DeployHook, api: &ApiArgs) -> String {
    if !hook.url.is_empty() {
        return hook.url.clone();
    }
    format!("{}/pages/webhooks/deploy_hooks/{}", api.api_url.trim().trim_end_matches('/'), hook.id)
}
