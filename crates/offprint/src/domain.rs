//! `offprint domain`: what the operator of a server decides about custom domains.
//!
//! Adding and removing domains is for clients of the API. Whether a domain's owner may use it on this server
//! can also be the operator's word, where the check by name resolution cannot work.

use anyhow::{Context, ensure};
use offprint_model::name::Hostname;
use offprint_model::project::DomainStatus;
use offprint_store::Store;

use crate::cli::output;
use crate::config::{ServeConfig, StoreFlags};
use crate::server;

/// What to do with a custom domain.
#[derive(clap::Subcommand)]
pub(crate) enum DomainCommand {
    /// List the custom domains of all projects
    List {
        #[command(flatten)]
        store: StoreFlags,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let a domain that a project has added answer
    Activate(DomainArgs),
    /// Stop a domain from answering, and leave it with its project
    Deactivate(DomainArgs),
}

/// Which domain in which store.
#[derive(clap::Args)]
pub(crate) struct DomainArgs {
    /// The domain, as it was added to a project
    name: String,
    /// The project, where several have added the domain
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    #[command(flatten)]
    store: StoreFlags,
}

/// Runs the command.
///
/// # Errors
/// There is no store, no such domain, or another project has it.
pub(crate) async fn run(command: DomainCommand) -> anyhow::Result<()> {
    match command {
        DomainCommand::List { store, json } => list(&open(store).await?, json).await,
        DomainCommand::Activate(args) => decide(args, DomainStatus::Active).await,
        DomainCommand::Deactivate(args) => decide(args, DomainStatus::Pending).await,
    }
}

async fn open(flags: StoreFlags) -> anyhow::Result<Store> {
    server::open_existing_store(&ServeConfig::check(flags.of_server().with_file()?)?).await
}

async fn list(store: &Store, json: bool) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (scope, domain) in store.all_domains().await? {
        rows.push([
            domain.name.to_string(),
            scope.project_name().to_string(),
            domain.status.as_str().to_owned(),
            domain.error.unwrap_or_default(),
        ]);
    }
    output::table(&["domain", "project", "status", "note"], &rows, json)
}

async fn decide(args: DomainArgs, status: DomainStatus) -> anyhow::Result<()> {
    let name = Hostname::parse(&args.name)?;
    let store = open(args.store).await?;
    let mut found = store.all_domains().await?;
    found.retain(|(scope, domain)| {
        domain.name == name
            && args.project.as_deref().is_none_or(|project| scope.project_name().as_str() == project)
    });
    ensure!(found.len() < 2, "several projects have added {name}; say which with --project");
    let (scope, _) =
        found.pop().with_context(|| format!("no project has added {name}; add it through the API first"))?;
    let note =
        (status != DomainStatus::Active).then(|| "switched off by the operator of this server".to_owned());
    let domain = store.set_domain_status(&scope, &name, status, note).await?;
    output::line(format_args!("{} of {} is {}.", domain.name, scope.project_name(), domain.status.as_str()))
}
