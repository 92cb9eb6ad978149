//! `offprint gc`: collects what nothing uses, and verifies what is left.

use anyhow::ensure;
use offprint_store::invariants::check_invariants;

use crate::cli::output;
use crate::config::{ServeConfig, ServeFlags, StoreFlags};
use crate::server;

/// Which store, and how careful.
#[derive(clap::Args)]
pub(crate) struct GcArgs {
    #[command(flatten)]
    store: StoreFlags,
    /// Seconds that an unused blob is kept [default: 3600]
    #[arg(long, env = "OFFPRINT_BLOB_GRACE", value_name = "SECONDS")]
    blob_grace: Option<u64>,
    /// Also read every blob that a deployment needs and compare it with its name
    #[arg(long)]
    verify: bool,
}

/// Runs one collection.
///
/// # Errors
/// There is no store, it cannot be used, or the verification found damage.
pub(crate) async fn run(args: GcArgs) -> anyhow::Result<()> {
    let flags = ServeFlags { blob_grace: args.blob_grace, ..args.store.of_server() };
    let config = ServeConfig::check(flags.with_file()?)?;
    let store = server::open_existing_store(&config).await?;
    let collected = store.collect(config.blob_grace).await?;
    output::line(format_args!(
        "Collected {} blobs ({} bytes) and {} unused asset keys.",
        collected.blobs, collected.bytes, collected.keys
    ))?;
    if args.verify {
        let damage = check_invariants(&store).await?;
        for line in &damage {
            output::line(format_args!("damaged: {line}"))?;
        }
        ensure!(
            damage.is_empty(),
            "the store is damaged; restore it from a backup, or deploy again what is named above"
        );
        output::line(format_args!("Every deployment is whole."))?;
    }
    Ok(())
}
