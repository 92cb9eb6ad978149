//! What runs Functions on this server: found, tried out, and put together with what stands around it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use offprint_functions::{Assets, Bindings, FunctionRuntime, NoRuntime, Tails, Workerd, WorkerdOptions};
use offprint_sandbox::{Helper, Sandbox, SandboxOptions};
use offprint_store::Store;
use offprint_wire::urls::SiteUrls;

use crate::config::ServeConfig;
use crate::config::checked::{Isolation, RuntimeChoice};
use crate::sandbox_helper;

/// Functions of a server.
pub(super) struct Functions {
    /// What runs them, or says why nothing does.
    pub(super) runtime: Arc<dyn FunctionRuntime>,
    /// Where they find the assets of their deployments.
    pub(super) assets: Assets,
}

/// Starts what the configuration asks for.
///
/// # Errors
/// workerd, or what is to be around it, was asked for by name and does not work on this machine.
pub(super) async fn start(config: &ServeConfig, store: &Store, urls: &SiteUrls) -> anyhow::Result<Functions> {
    let assets = Assets::default();
    let off = |why: &str| -> Arc<dyn FunctionRuntime> { Arc::new(NoRuntime::new(store.clone(), why)) };
    let choice = config.functions.runtime;
    if choice == RuntimeChoice::Off {
        return Ok(Functions { runtime: off("The operator of this server has switched them off."), assets });
    }
    let runtime = match workerd(config, store, urls, &assets).await {
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
            off("Its operator can install workerd, or name it with --workerd, and start the server again.")
        }
    };
    Ok(Functions { runtime, assets })
}

async fn workerd(
    config: &ServeConfig,
    store: &Store,
    urls: &SiteUrls,
    assets: &Assets,
) -> anyhow::Result<Workerd> {
    let (settings, urls) = (&config.functions, urls.clone());
    let program = match &settings.workerd {
        Some(program) => program.clone(),
        None => find(&config.data).context("workerd is not installed")?,
    };
    let directory = config.data.join("functions");
    let sandbox = sandbox(config, directory.join("sandbox")).await?;
    let options = WorkerdOptions {
        program,
        directory: directory.join("run"),
        sandbox,
        store: store.clone(),
        assets: assets.clone(),
        bindings: Bindings::new(store.clone()),
        tails: Tails::default(),
        allow: settings.allow.clone(),
        limits: settings.limits,
        url_of: Arc::new(move |project, id| urls.deployment(project, id)),
    };
    Ok(Workerd::start(options).await?)
}

async fn sandbox(config: &ServeConfig, scratch: PathBuf) -> anyhow::Result<Sandbox> {
    let settings = &config.functions;
    let options = || SandboxOptions {
        helper: Helper::this_program(sandbox_helper::SUBCOMMAND),
        scratch: scratch.clone(),
        allow: settings.allow.clone(),
        tools: Vec::new(),
    };
    if settings.isolation == Isolation::Bubblewrap {
        match Sandbox::with_walls(options()).await {
            Ok(sandbox) => return Ok(sandbox),
            Err(error) if settings.isolation_required => {
                return Err(error).context("bubblewrap does not work on this machine");
            }
            Err(error) => {
                tracing::warn!(%error, "bubblewrap does not work here: Functions run without walls around workerd");
            }
        }
    }
    Ok(Sandbox::plain(options())?)
}

/// The program in the server's own folder of tools, or on the PATH.
#[expect(clippy::disallowed_methods, reason = "where programs are is for the environment to say")]
fn find(data: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|directory| directory.join("workerd"));
    let in_tools = data.join("tools").join(PLATFORM_PROGRAM);
    std::iter::once(in_tools).chain(on_path).find_map(|candidate| program_behind(&candidate))
}

/// Where npm puts the program itself, below a directory of its own.
const PLATFORM_PROGRAM: &str = if cfg!(target_arch = "aarch64") {
    "node_modules/@cloudflare/workerd-linux-arm64/bin/workerd"
} else {
    "node_modules/@cloudflare/workerd-linux-64/bin/workerd"
};

/// What npm puts on the PATH is a script for Node, which would stand between us and the program.
fn program_behind(candidate: &Path) -> Option<PathBuf> {
    let real = candidate.canonicalize().ok().filter(|real| real.is_file())?;
    let mut first = [0; 2];
    let read =
        std::fs::File::open(&real).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut first));
    if read.is_ok() && &first != b"#!" {
        return Some(real);
    }
    let beside = real.ancestors().map(|directory| directory.join(PLATFORM_PROGRAM));
    beside.into_iter().find(|program| program.is_file())
}
