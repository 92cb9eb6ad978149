//! `offprint runtime`: the programs that run and compile Functions.

use std::path::{Path, PathBuf};

use anyhow::Context;
use offprint_functions::tools::{Absent, Found, Origin, Places, Wrangler, install};

use crate::cli::output;
use crate::config::{self, ServeConfig, StoreFlags};

/// What to do with them.
#[derive(clap::Subcommand)]
pub(crate) enum RuntimeCommand {
    /// Install workerd and wrangler, in the versions that this program pins, into the data directory; needs npm
    Install {
        #[command(flatten)]
        store: StoreFlags,
    },
    /// Say which workerd and wrangler the server takes; fails where one of them is absent
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        store: StoreFlags,
    },
}

/// Runs the command.
///
/// # Errors
/// They could not be installed; or one is absent, with the reason.
pub(crate) async fn run(command: RuntimeCommand) -> anyhow::Result<()> {
    let (store, what) = match command {
        RuntimeCommand::Install { store } => (store, None),
        RuntimeCommand::Status { json, store } => (store, Some(json)),
    };
    let places = config::tools(&ServeConfig::check(store.of_server().with_file()?)?);
    let work = move || match what {
        None => install_into(&places),
        Some(json) => status(&places, json),
    };
    tokio::task::spawn_blocking(work).await.context("the command broke off")?
}

fn install_into(places: &Places) -> anyhow::Result<()> {
    let installed = install(&places.folder, Path::new("npm"), |text| output::note(format_args!("{text}")))?;
    let (workerd, wrangler) = (&installed.workerd.version, &installed.wrangler.version);
    let done = if installed.is_new { "Installed" } else { "Nothing to do: there are" };
    let directory = installed.directory.display();
    output::line(format_args!("{done} workerd {workerd} and wrangler {wrangler} in {directory}."))?;
    if installed.is_new {
        output::note(format_args!("A server that runs takes them at its next start."));
    }
    for (old, _) in places.installations().iter().filter(|(_, origin)| *origin == Origin::Unpinned) {
        let old = old.display();
        output::note(format_args!(
            "{old} is of another version of this program; remove it when no server uses it."
        ));
    }
    Ok(())
}

fn status(places: &Places, json: bool) -> anyhow::Result<()> {
    let workerd = places.workerd();
    let wrangler = places.wrangler();
    let rows = [row("workerd", &workerd, PathBuf::clone), row("wrangler", &wrangler, Wrangler::script)];
    output::table(&["program", "version", "origin", "path"], &rows, json)?;
    workerd?;
    wrangler?;
    Ok(())
}

fn row<T>(name: &str, found: &Result<Found<T>, Absent>, path: impl Fn(&T) -> PathBuf) -> [String; 4] {
    let [version, origin, path] = match found {
        Ok(found) => {
            let path = path(&found.program).display().to_string();
            [found.version.clone(), found.origin.to_string(), path]
        }
        Err(_) => [String::new(), "absent".into(), String::new()],
    };
    [name.to_owned(), version, origin, path]
}
