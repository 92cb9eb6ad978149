//! The end of the third stage: compiles the Functions of the site with wrangler, in the sandbox and without network,
//! into the very parts that a direct upload brings.

use std::path::{Path, PathBuf};
use std::time::Instant;

use offprint_functions::tools::Wrangler;
use offprint_model::config::Environment;

use super::step::run_logged;
use super::{Context, StageError};
use crate::builder::{Bind, BuildLimits, Exit, Limit, Step, WORKSPACE};
use crate::compiled::{BUNDLE, Compiled, METADATA, ROUTES, ROUTING};
use crate::files::Files;
use crate::ingest::blocking;
use crate::tools::{Installed, installed_in};
use crate::workspace::Folder;
use crate::wrangler_file::WranglerFile;

/// Where a step sees wrangler and what it needs. The last name is the one by which Node finds packages.
const COMPILER: &str = "/compiler/node_modules";
/// Where it leaves what it has made.
const COMPILED: &str = "/compiled";
/// The oldest Node that wrangler runs on.
const NODE_MIN: u32 = 20;

/// The site has Functions, and there are none to be compiled in them (exit codes of `wrangler pages functions build`).
const NO_ROUTES: i32 = 156;
const NOTHING_TO_BUILD: i32 = 157;

/// What a site has to be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `_worker.js` in the output.
    Script,
    /// `_worker.js/` in the output.
    Modules,
    /// `functions/` in the root directory.
    Functions,
}

impl Source {
    /// As wrangler looks: a Worker of the site's own goes before Functions.
    pub(crate) fn of<F: Files>(root: &F, output: &F) -> Option<Self> {
        match () {
            () if output.folder("_worker.js").is_ok() => Some(Self::Modules),
            () if output.has("_worker.js") => Some(Self::Script),
            () if root.folder("functions").is_ok() => Some(Self::Functions),
            () => None,
        }
    }

    /// Its name, for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Script => "_worker.js",
            Self::Modules => "_worker.js/",
            Self::Functions => "functions/",
        }
    }
}

/// Compiles what there is to be compiled; `None`: the site is static, or its `_worker.js` is taken as it is. The inner
/// error is the author's. `began` is when the build's time began.
pub(super) async fn compile(
    ctx: &Context<'_>,
    root: &Folder,
    output: &Folder,
    wrangler_file: &WranglerFile,
    began: Instant,
) -> Result<Result<Option<Compiled>, String>, StageError> {
    let Some(source) = Source::of(root, output) else { return Ok(Ok(None)) };
    let places = ctx.options().functions_tools.clone();
    let found = match blocking(move || places.wrangler()).await {
        Ok(found) => found,
        Err(why) if source == Source::Script => {
            let text =
                "Warning: _worker.js is taken as it is, as one module, since this server cannot compile it";
            ctx.log.say(format!("{text}: {why}.")).await;
            return Ok(Ok(None));
        }
        Err(why) => return Ok(Err(absent(source, &why.to_string()))),
    };
    let Some(node) = node(ctx).await? else {
        let why = format!("wrangler needs Node.js {NODE_MIN} or newer, and builds have none here");
        return Ok(Err(absent(source, &why)));
    };
    ctx.log.say(format!("Compiling {} with wrangler {}.", source.name(), found.version)).await;
    let compiler = Compiler { ctx, root, output, wrangler: &found.program, node, began };
    let exit = run_logged(ctx, compiler.step(wrangler_file)).await?;
    match judge(ctx, source, exit)? {
        Ok(true) => {}
        Ok(false) => {
            let name = source.name();
            ctx.log.say(format!("There is nothing to run in {name}: the site is static.")).await;
            return Ok(Ok(None));
        }
        Err(why) => return Ok(Err(why)),
    }
    let (compiled, max) = (ctx.dirs.compiled(), ctx.options().site_limits.worker_bytes_max);
    let current = ctx.subject.config.clone();
    let read = move || {
        let folder = Folder::open(&compiled, "").map_err(|_| "wrangler has left nothing.".to_owned())?;
        Compiled::read(&folder, max, &current)
    };
    Ok(blocking(read).await.map(Some))
}

/// A site that would be half of what it is must not replace a whole one.
fn absent(source: Source, why: &str) -> String {
    let name = source.name();
    format!(
        "The site has Functions ({name}), and this server cannot compile them: {why}. What is live stays live. Ask the \
         server's operator, or deploy with `wrangler pages deploy`, which compiles them where it runs."
    )
}

/// The Node that builds find without further doing, if it is new enough, else the newest of the operator's.
async fn node(ctx: &Context<'_>) -> Result<Option<PathBuf>, StageError> {
    let options = ctx.options();
    let host = ctx.builds.host_tools.installed("node", options, ctx.dirs, ctx.stop).await?;
    let is_enough = |installed: &Installed| installed.version.major() >= NODE_MIN;
    if host.as_ref().is_some_and(is_enough) {
        return Ok(Some("node".into()));
    }
    let others = installed_in(&options.tools, "node").into_iter().filter(is_enough);
    let newest = others.max_by_key(|installed| installed.version);
    Ok(newest.and_then(|installed| installed.bin).map(|bin| bin.join("node")))
}

struct Compiler<'a> {
    ctx: &'a Context<'a>,
    root: &'a Folder,
    output: &'a Folder,
    wrangler: &'a Wrangler,
    node: PathBuf,
    began: Instant,
}

impl Compiler<'_> {
    fn step(&self, wrangler_file: &WranglerFile) -> Step {
        let (ctx, options) = (self.ctx, self.ctx.options());
        let packages = self.wrangler.root();
        let binds = vec![
            Bind { host: packages.to_owned(), inside: COMPILER.into(), writable: false },
            Bind { host: ctx.dirs.compiled(), inside: COMPILED.into(), writable: true },
        ];
        let environment = match ctx.subject.environment {
            Environment::Production => "production",
            Environment::Preview => "preview",
        };
        // Nothing of the project's variables: they are for the Functions and not for whoever compiles them.
        let env = [
            ("CI", "true"),
            ("NO_COLOR", "1"),
            ("PAGES_ENVIRONMENT", environment),
            ("WRANGLER_HIDE_BANNER", "true"),
            ("WRANGLER_SEND_METRICS", "false"),
        ];
        Step {
            argv: self.argv(wrangler_file),
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            workspace: ctx.dirs.workspace(),
            workdir: self.root.in_workspace().to_owned(),
            home: ctx.dirs.home(),
            binds,
            network: false,
            limits: BuildLimits {
                time: options.limits.time.saturating_sub(self.began.elapsed()),
                ..options.limits
            },
        }
    }

    fn argv(&self, wrangler_file: &WranglerFile) -> Vec<String> {
        let (dirs, builder) = (self.ctx.dirs, &self.ctx.options().builder);
        let packages = self.wrangler.root();
        let script = self.wrangler.script();
        let script = script.strip_prefix(packages).unwrap_or(&script);
        let compiled = builder.seen(&dirs.compiled(), Path::new(COMPILED));
        let workspace = builder.seen(&dirs.workspace(), Path::new(WORKSPACE));
        let flag = |name: &str, value: PathBuf| format!("--{name}={}", value.display());
        let mut argv = vec![
            self.node.display().to_string(),
            builder.seen(packages, Path::new(COMPILER)).join(script).display().to_string(),
        ];
        argv.extend(["pages", "functions", "build", "functions"].map(String::from));
        argv.extend([
            flag("outfile", compiled.join(BUNDLE)),
            flag("output-routes-path", compiled.join(ROUTES)),
            flag("output-config-path", compiled.join(ROUTING)),
            flag("build-output-directory", workspace.join(self.output.in_workspace())),
        ]);
        // The file of a stranger sets nothing: it could name what belongs to the project.
        let has_file = matches!(wrangler_file, WranglerFile::Output { .. }) && !self.ctx.subject.untrusted;
        if has_file {
            argv.extend([
                "--project-directory=.".to_owned(),
                flag("build-metadata-path", compiled.join(METADATA)),
            ]);
        } else {
            let config = &self.ctx.subject.config;
            argv.push(format!("--compatibility-date={}", config.compatibility_date));
            let flags = config.compatibility_flags.iter();
            argv.extend(flags.map(|flag| format!("--compatibility-flags={flag}")));
        }
        argv
    }
}

/// Whether there is something to run; the inner error is in words for the author.
fn judge(ctx: &Context<'_>, source: Source, exit: Exit) -> Result<Result<bool, String>, StageError> {
    let name = source.name();
    let limits = ctx.options().limits;
    Ok(match exit {
        Exit::Code(0) => Ok(true),
        Exit::Code(NO_ROUTES | NOTHING_TO_BUILD) => Ok(false),
        Exit::Canceled => return Err(StageError::Stopped),
        Exit::Code(code) => {
            Err(format!("Compiling {name} ended with exit code {code}. The lines above say why."))
        }
        Exit::Signal(signal) => Err(format!("Compiling {name} was ended by the signal {signal}.")),
        Exit::Limit(Limit::Time) => {
            Err(format!("Compiling {name} was stopped: a build may take {} s.", limits.time.as_secs_f64()))
        }
        Exit::Limit(limit) => Err(format!("Compiling {name} was stopped. {}", limits.describe(limit))),
    })
}
