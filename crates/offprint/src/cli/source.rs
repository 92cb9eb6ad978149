//! `offprint project source`, and the pull requests of forks.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use offprint_client::SourceAccessChange;
use offprint_client::types::{PullRequest, SourceAccess};
use offprint_model::secret::Secret;
use serde_json::Value;

use super::args::ApiArgs;
use super::{output, project, prompt};

/// What to do with the repository of a project.
#[derive(clap::Subcommand)]
pub(crate) enum SourceCommand {
    /// Show the webhook's address and which credentials are set
    Show {
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        of: SourceArgs,
    },
    /// Set or remove credentials; they are read from files, and an empty file removes one
    Set(SetArgs),
    /// Make a new webhook secret and print it, this once; the old one ends
    RenewSecret {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        of: SourceArgs,
    },
    /// List the pull requests that the server has heard of
    PullRequests {
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        of: SourceArgs,
    },
    /// Build one commit of a pull request from a fork; look at it first
    Approve {
        /// The pull request's number
        number: u64,
        /// The full hash of the commit that was looked at
        commit: String,
        #[command(flatten)]
        of: SourceArgs,
    },
}

/// Which credentials to set.
#[derive(clap::Args)]
pub(crate) struct SetArgs {
    /// File with a token: clones over https, reports to the forge (`-`: standard input)
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with a private key, for clones over ssh
    #[arg(long, value_name = "FILE")]
    ssh_key_file: Option<PathBuf>,
    /// File with the forge's host keys, as `ssh-keyscan` prints them
    #[arg(long, value_name = "FILE")]
    known_hosts_file: Option<PathBuf>,
    /// File with the webhook's secret, where the forge does not take ours
    #[arg(long, value_name = "FILE")]
    webhook_secret_file: Option<PathBuf>,
    #[command(flatten)]
    of: SourceArgs,
}

/// Which project.
#[derive(clap::Args)]
pub(crate) struct SourceArgs {
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
pub(crate) async fn run(command: SourceCommand) -> anyhow::Result<()> {
    match command {
        SourceCommand::Show { json, of } => {
            let client = of.api.client().await?;
            let project = project::choose(&client, of.project).await?;
            show(&client.source_access(&project).await?, json)
        }
        SourceCommand::Set(args) => set(args).await,
        SourceCommand::RenewSecret { yes, of } => {
            let client = of.api.client().await?;
            let project = project::choose(&client, of.project).await?;
            let question =
                format!("End the webhook secret of {project}? The forge must be told the new one.");
            prompt::confirm_or_flag(&question, yes)?;
            let made = client.renew_webhook_secret(&project).await?;
            output::note(format_args!("The webhook's secret is shown only here:"));
            let secret = made.webhook_secret.as_ref().and_then(Value::as_str).unwrap_or_default();
            output::line(format_args!("{secret}"))
        }
        SourceCommand::PullRequests { json, of } => pull_requests(of, json).await,
        SourceCommand::Approve { number, commit, of } => {
            let client = of.api.client().await?;
            let project = project::choose(&client, of.project).await?;
            client.approve_pull_request(&project, number, commit.trim()).await?;
            output::note(format_args!("{commit} of pull request {number} may be built."));
            Ok(())
        }
    }
}

fn show(access: &SourceAccess, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(access);
    }
    show_member("webhook_url", &access.webhook_url.clone().into())?;
    for (name, value) in &access.other {
        match value {
            Value::Object(members) => {
                members.iter().try_for_each(|(name, value)| show_member(name, value))?
            }
            value => show_member(name, value)?,
        }
    }
    Ok(())
}

fn show_member(name: &str, value: &Value) -> anyhow::Result<()> {
    let shown = match value {
        Value::Null => return Ok(()),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    if shown.is_empty() { Ok(()) } else { output::line(format_args!("{name:30} {}", output::plain(&shown))) }
}

async fn set(args: SetArgs) -> anyhow::Result<()> {
    let read = |path: &Option<PathBuf>| path.as_deref().map(read_secret).transpose();
    let change = SourceAccessChange {
        token: read(&args.token_file)?.map(trimmed),
        ssh_key: read(&args.ssh_key_file)?,
        known_hosts: read(&args.known_hosts_file)?,
        webhook_secret: read(&args.webhook_secret_file)?.map(trimmed),
    };
    let any = change.token.is_some()
        || change.ssh_key.is_some()
        || change.known_hosts.is_some()
        || change.webhook_secret.is_some();
    ensure!(
        any,
        "say what to set: --token-file, --ssh-key-file, --known-hosts-file or --webhook-secret-file"
    );
    let client = args.of.api.client().await?;
    let project = project::choose(&client, args.of.project).await?;
    show(&client.change_source_access(&project, change).await?, false)
}

/// A secret is read from a file: what is typed as an argument can be seen by everyone on the machine.
fn read_secret(path: &Path) -> anyhow::Result<Secret<String>> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    Ok(Secret::new(text.with_context(|| format!("cannot read {}", path.display()))?))
}

/// Without the line break that an editor leaves behind.
fn trimmed(secret: Secret<String>) -> Secret<String> {
    Secret::new(secret.expose().trim().to_owned())
}

async fn pull_requests(of: SourceArgs, json: bool) -> anyhow::Result<()> {
    let client = of.api.client().await?;
    let project = project::choose(&client, of.project).await?;
    let known = client.pull_requests(&project).await?;
    if json {
        return output::json(&known);
    }
    let word = |request: &PullRequest, name: &str| match request.other.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        _ => String::new(),
    };
    let row = |request: &PullRequest| {
        let (number, commit) = (request.number.to_string(), request.commit_hash.clone());
        let (fork, open) = (word(request, "is_fork"), word(request, "is_open"));
        let approved = word(request, "approved_commit_hash");
        [number, request.branch.clone(), commit, fork, open, approved, request.title.clone()]
    };
    let rows: Vec<_> = known.iter().map(row).collect();
    output::table(&["number", "branch", "commit", "fork", "open", "approved", "title"], &rows, false)
}
