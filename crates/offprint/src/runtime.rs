//! `offprint runtime`: the programs that run and compile Functions, and the walls around them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use offprint_functions::tools::{Absent, Found, Origin, Places, Wrangler, install};
use offprint_sandbox::{AllowList, Sandbox};

use crate::cli::output;
use crate::config::{self, ServeConfig, StoreFlags};
use crate::own_directory::OwnDirectory;
use crate::server::functions::sandbox_options;

/// What to do with them.
#[derive(clap::Subcommand)]
pub(crate) enum RuntimeCommand {
    /// Install workerd and wrangler, in the versions that this program pins, into the data directory; needs npm
    Install {
        #[command(flatten)]
        store: StoreFlags,
    },
    /// Say which workerd and wrangler the server takes, and whether there are walls around Functions; fails where one of
    /// the former is absent
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
    let config = ServeConfig::check(store.of_server().with_file()?)?;
    let places = config::tools(&config);
    let walls = match what {
        Some(_) => walls(&config.data).await,
        None => Ok(String::new()),
    };
    let work = move || match what {
        None => install_into(&places),
        Some(json) => status(&places, walls, json),
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

/// The version of bubblewrap, or why it makes no walls here: tried out as a server does, beside one that may run.
async fn walls(data: &Path) -> Result<String, String> {
    let scratch = OwnDirectory::take(&data.join("functions")).map_err(|error| error.to_string())?;
    let tried = Sandbox::with_walls(sandbox_options(&scratch.path().join("sandbox"), AllowList::default()));
    tried.await.map_err(|error| error.to_string())?;
    let program = Sandbox::walls_program().ok_or("it is not there any more")?;
    let said = Command::new(program).arg("--version").output().map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&said.stdout).trim().trim_start_matches("bubblewrap ").to_owned())
}

fn status(places: &Places, walls: Result<String, String>, json: bool) -> anyhow::Result<()> {
    let workerd = places.workerd();
    let wrangler = places.wrangler();
    let rows = [
        row("workerd", &workerd, PathBuf::clone),
        row("wrangler", &wrangler, Wrangler::script),
        row_of_walls(&walls),
    ];
    output::table(&["program", "version", "origin", "path"], &rows, json)?;
    if let Err(why) = walls {
        output::note(format_args!("WARNING: Functions would run without walls around workerd: {why}"));
    }
    workerd?;
    wrangler?;
    Ok(())
}

fn row_of_walls(walls: &Result<String, String>) -> [String; 4] {
    let path = Sandbox::walls_program().map(|path| path.display().to_string());
    let state = match (walls, &path) {
        (Ok(_), _) => "works",
        (Err(_), Some(_)) => "does not work",
        (Err(_), None) => "absent",
    };
    let version = walls.clone().unwrap_or_default();
    ["bubblewrap".into(), version, state.into(), path.unwrap_or_default()]
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
