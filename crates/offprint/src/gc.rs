//! `offprint gc`: collects what nothing uses, and verifies what is left.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use offprint_store::invariants::check_invariants;

use crate::cli::output;
use crate::config::{ServeConfig, ServeFlags};
use crate::server;

/// Which store, and how careful.
#[derive(clap::Args)]
pub(crate) struct GcArgs {
    /// The server's data directory
    #[arg(long, env = "OFFPRINT_DATA", value_name = "DIR", default_value = ".offprint")]
    data: PathBuf,
    /// Seconds that an unused blob is kept
    #[arg(long, env = "OFFPRINT_BLOB_GRACE", value_name = "SECONDS", default_value_t = 3600)]
    blob_grace: u64,
    /// Also read every blob that a deployment needs and compare it with its name
    #[arg(long)]
    verify: bool,
}

/// Runs one collection.
///
/// # Errors
/// There is no store, it cannot be used, or the verification found damage.
pub(crate) async fn run(args: GcArgs) -> anyhow::Result<()> {
    ensure!(args.data.is_dir(), "{} holds no store; name the server's directory with --data", args.data.display());
    let flags = ServeFlags { data: Some(args.data), ..Default::default() };
    let store = server::open_store(&ServeConfig::check(flags)?).await?;
    let collected = store.collect(Duration::from_secs(args.blob_grace)).await?;
    output::line(format_args!(
        "Collected {} blobs ({} bytes) and {} unused asset keys.",
        collected.blobs, collected.bytes, collected.keys
    ))?;
    if args.verify {
        let damage = check_invariants(&store).await?;
        for line in &damage {
            output::line(format_args!("damaged: {line}"))?;
        }
        ensure!(damage.is_empty(), "the store has {} faults", damage.len());
        output::line(format_args!("Every deployment is whole."))?;
    }
    Ok(())
}
