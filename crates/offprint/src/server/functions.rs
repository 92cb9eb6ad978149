//! What runs Functions on this server: found, tried out, and put together with what stands around it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use offprint_functions::{Assets, Bindings, FunctionRuntime, NoRuntime, Tails, Workerd, WorkerdOptions};
use offprint_resources::Resources;
use offprint_sandbox::{AllowList, Helper, Sandbox, SandboxOptions};
use offprint_store::Store;
use offprint_wire::urls::SiteUrls;

use crate::config::checked::{Isolation, RuntimeChoice};
use crate::config::{self, ServeConfig};
use crate::sandbox_helper;

/// For authors, who may want to know before they put secrets there.
const NO_WALLS: &str = "this server runs Functions without walls around workerd";

/// Functions of a server.
pub(super) struct Functions {
    /// What runs them, or says why nothing does.
    pub(super) runtime: Arc<dyn FunctionRuntime>,
    /// Where they find the assets of their deployments.
    pub(super) assets: Assets,
    /// What they say.
    pub(super) tails: Tails,
}

/// Starts what the configuration asks for, with a directory of this process for what it needs meanwhile.
///
/// # Errors
/// workerd, or what is to be around it, was asked for by name and does not work on this machine.
pub(super) async fn start(
    config: &ServeConfig,
    store: &Store,
    resources: &Resources,
    urls: &SiteUrls,
    directory: &Path,
) -> anyhow::Result<Functions> {
    let (assets, tails) = (Assets::default(), Tails::default());
    let off = |why: &str| -> Arc<dyn FunctionRuntime> { Arc::new(NoRuntime::new(store.clone(), why)) };
    let choice = config.functions.runtime;
    if choice == RuntimeChoice::Off {
        let runtime = off("The operator of this server has switched them off.");
        return Ok(Functions { runtime, assets, tails });
    }
    let runtime = match workerd(config, store, resources, urls, directory, (&assets, &tails)).await {
        Ok(workerd) => Arc::new(workerd) as Arc<dyn FunctionRuntime>,
        Err(error) if choice == RuntimeChoice::Workerd => {
            return Err(
                error.context("Functions cannot run; see docs/FUNCTIONS.md, or start with --functions off")
            );
        }
        // Nobody asked for it: a machine that only serves shall not be kept from that.
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                "this server runs no Functions; see docs/FUNCTIONS.md"
            );
            off(
                "Its operator can install workerd with `offprint runtime install`, or name it with --workerd, and start the server again.",
            )
        }
    };
    Ok(Functions { runtime, assets, tails })
}

async fn workerd(
    config: &ServeConfig,
    store: &Store,
    resources: &Resources,
    urls: &SiteUrls,
    directory: &Path,
    (assets, tails): (&Assets, &Tails),
) -> anyhow::Result<Workerd> {
    let (settings, urls) = (&config.functions, urls.clone());
    let places = config::tools(config);
    // Asked for its version, it may take its time.
    let found =
        tokio::task::spawn_blocking(move || places.workerd()).await.context("cannot look for workerd")??;
    let program = found.program;
    let (sandbox, warning) = sandbox(config, directory.join("sandbox")).await?;
    let options = WorkerdOptions {
        program,
        directory: directory.join("run"),
        sandbox,
        store: store.clone(),
        assets: assets.clone(),
        bindings: Bindings::new(resources.clone()),
        tails: tails.clone(),
        allow: settings.allow.clone(),
        limits: settings.limits,
        url_of: Arc::new(move |project, id| urls.deployment(project, id)),
        warning,
    };
    Ok(Workerd::start(options).await?)
}

/// What Functions run in, and what is to be said of it in the logs of deployments: that there are no walls although
/// nobody has chosen that.
async fn sandbox(config: &ServeConfig, scratch: PathBuf) -> anyhow::Result<(Sandbox, Option<String>)> {
    let settings = &config.functions;
    let options = || sandbox_options(&scratch, settings.allow.clone());
    let mut warning = None;
    if settings.isolation == Isolation::Bubblewrap {
        match Sandbox::with_walls(options()).await {
            Ok(sandbox) => return Ok((sandbox, None)),
            Err(error) if settings.isolation_required => {
                return Err(error).context("bubblewrap does not work on this machine");
            }
            Err(error) => {
                tracing::warn!(%error, "bubblewrap does not work here: Functions run without walls around workerd");
                warning = Some(format!("{NO_WALLS}: bubblewrap does not work on it."));
            }
        }
    } else if !settings.isolation_required {
        warning = Some(format!("{NO_WALLS}: bubblewrap is not installed."));
    }
    Ok((Sandbox::plain(options())?, warning))
}

/// What a sandbox for Functions is made with. `scratch` is emptied.
pub(crate) fn sandbox_options(scratch: &Path, allow: AllowList) -> SandboxOptions {
    SandboxOptions {
        helper: Helper::this_program(sandbox_helper::SUBCOMMAND),
        scratch: scratch.to_owned(),
        allow,
        tools: Vec::new(),
    }
}
