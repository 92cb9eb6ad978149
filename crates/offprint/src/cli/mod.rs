//! The client commands: they speak to any Pages-compatible API and know nothing of our server.

pub(crate) mod args;
pub(crate) mod output;
pub(crate) mod progress;

mod completions;
mod deploy;
mod deployment;
mod follow;
mod git;
mod hook;
mod project;
mod prompt;
mod source;
mod tail;
mod token;

/// The commands that are clients of an API.
#[derive(clap::Subcommand)]
pub(crate) enum ClientCommand {
    /// Deploy a folder and print the URL at which it is live
    Deploy(deploy::DeployArgs),
    /// List, create and delete projects; their repositories and deploy hooks
    #[command(subcommand)]
    Project(project::ProjectCommand),
    /// List and inspect deployments, build, cancel, roll back, read logs
    #[command(subcommand)]
    Deployment(deployment::DeploymentCommand),
    /// Create, list and revoke API tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Print completions for a shell
    Completions(completions::CompletionsArgs),
}

impl ClientCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, in words for the person at the terminal.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Deploy(args) => deploy::run(args).await,
            Self::Project(command) => project::run(command).await,
            Self::Deployment(command) => deployment::run(command).await,
            Self::Token(command) => token::run(command).await,
            Self::Completions(args) => completions::run(&args),
        }
    }
}
