//! Offprint: Pages you own.
//!
//! The binary: commands, configuration, wiring. Everything with a meaning of its own lives in a crate below.

mod cli;
mod config;
mod domain;
mod gc;
mod logging;
mod own_directory;
mod runtime;
mod sandbox_helper;
mod server;
mod try_site;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Pages you own: serves static sites and speaks the Cloudflare Pages API.
#[derive(Parser)]
#[command(name = "offprint", version, propagate_version = true, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Serve a folder as a live site: starts a server, deploys the folder, keeps serving
    Try(try_site::TryArgs),
    /// Run the server
    Serve(config::ServeFlags),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Custom domains, as the operator of a server's data directory
    #[command(subcommand)]
    Domain(domain::DomainCommand),
    /// Collect blobs that nothing uses; may run beside a server
    Gc(gc::GcArgs),
    /// The programs that run and compile Functions
    #[command(subcommand)]
    Runtime(runtime::RuntimeCommand),
    #[command(flatten)]
    Client(cli::ClientCommand),
}

#[derive(clap::Subcommand)]
enum ConfigCommand {
    /// Say whether flags, environment and file make a valid configuration, and what it is
    Check(config::ServeFlags),
}

/// After so many tasks one looks whether somebody has sent something. Ours take longer than most, and the default of 61
/// lets a visitor wait for some milliseconds while one Function asks for all it can.
const EVENT_INTERVAL: u32 = 8;

fn main() -> std::process::ExitCode {
    if let Some(code) = sandbox_helper::run_if_asked_for() {
        return code;
    }
    let arguments = Arguments::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(arguments.command)));
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            cli::output::complain(&error);
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Try(args) => try_site::run(args).await,
        Command::Serve(flags) => server::run(config::ServeConfig::check(flags.with_file()?)?).await,
        Command::Config(ConfigCommand::Check(flags)) => config::check(flags),
        Command::Domain(command) => domain::run(command).await,
        Command::Gc(args) => gc::run(args).await,
        Command::Runtime(command) => runtime::run(command).await,
        Command::Client(command) => command.run().await,
    }
}
