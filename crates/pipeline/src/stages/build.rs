//! The third stage: installs what the site depends on, runs its build command, and finds what came of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use offprint_model::config::EnvVar;

use super::functions;
use super::plan::Unbuilt;
use super::step::run_logged;
use super::toolchain::Toolchain;
use super::{Context, StageError};
use crate::builder::{Bind, BuildLimits, Exit, HOME, Limit, Step};
use crate::cache::{BuildCache, PACKAGE_CACHES};
use crate::compiled::Compiled;
use crate::framework::{Install, Sources, cached_directories};
use crate::ingest::blocking;
use crate::workspace::Folder;

/// Where a step sees the caches of the package managers.
const CACHE: &str = "/build-cache";
/// Where pnpm has its store in the home of a build that has no cache.
const PNPM_STORE: &str = ".pnpm-store";

/// What a build has left.
pub(super) struct Built {
    /// The site.
    pub(super) output: Folder,
    /// Its Functions.
    pub(super) compiled: Option<Compiled>,
    root: Folder,
    cache: Option<Arc<BuildCache>>,
    cached: &'static [&'static str],
}

impl Built {
    /// Keeps the framework's directories for the next build. What fails costs that one its time and nothing else.
    pub(super) async fn keep(self) {
        let Self { root, cache: Some(cache), cached, .. } = self else { return };
        let save = move || {
            for directory in cached {
                if let Err(error) = cache.save(directory, &root) {
                    tracing::warn!(directory, %error, "cannot keep a directory in the build cache");
                }
            }
        };
        blocking(save).await;
    }
}

/// Builds the site. `pages` are the variables that say what is built. The inner error is the author's.
pub(super) async fn run(
    ctx: &Context<'_>,
    pages: Vec<(String, String)>,
) -> Result<Result<Built, String>, StageError> {
    let began = Instant::now();
    let unbuilt = match unbuilt(ctx).await? {
        Ok(unbuilt) => unbuilt,
        Err(why) => return Ok(Err(why)),
    };
    for note in &unbuilt.plan.notes {
        ctx.log.say(note).await;
    }
    let Unbuilt { root, sources, wrangler_file, plan } = &unbuilt;
    let cached = sources.preset().map_or(&[][..], cached_directories);
    let cache = open_cache(ctx).await?;
    if let Some(command) = &plan.command {
        let commands = Commands::prepare(ctx, root, sources, cache.as_deref(), pages, began).await?;
        if let Err(why) = commands.install(sources).await? {
            return Ok(Err(why));
        }
        restore(ctx, cache.as_ref(), cached, root).await;
        if let Err(why) = commands.build(command).await? {
            return Ok(Err(why));
        }
    }
    let output = match unbuilt.output() {
        Ok(output) => output,
        Err(why) => return Ok(Err(why)),
    };
    let compiled = functions::compile(ctx, root, &output, wrangler_file, began).await?;
    Ok(compiled.map(|compiled| Built { output, compiled, root: root.clone(), cache, cached }))
}

async fn unbuilt(ctx: &Context<'_>) -> Result<Result<Unbuilt<Folder>, String>, StageError> {
    let (workspace, subject) = (ctx.dirs.workspace(), ctx.subject);
    let (words, config) = (subject.words, subject.build_config.clone());
    let read = move || Some(Unbuilt::read(&Folder::open(&workspace, "").ok()?.called(words), &config));
    let gone = || StageError::io("open the workspace")(std::io::ErrorKind::NotFound.into());
    blocking(read).await.ok_or_else(gone)
}

/// The project's cache, if this build may use it.
async fn open_cache(ctx: &Context<'_>) -> Result<Option<Arc<BuildCache>>, StageError> {
    // A stranger's build must not read what ours have fetched with their secrets, nor leave anything to them.
    let subject = ctx.subject;
    if subject.untrusted || subject.build_config.build_caching != Some(true) {
        return Ok(None);
    }
    let (caches, project) = (ctx.builds.caches.clone(), subject.project.clone());
    let epoch = subject.cache_epoch;
    let cache = blocking(move || caches.open(&project, epoch)).await;
    let cache = cache.map_err(StageError::io("open the build cache"))?;
    if cache.is_warm() {
        ctx.log.say("Using the build cache of earlier builds.").await;
    }
    Ok(Some(Arc::new(cache)))
}

/// Puts the framework's directories back. A cache that cannot be read is none.
async fn restore(
    ctx: &Context<'_>,
    cache: Option<&Arc<BuildCache>>,
    cached: &'static [&'static str],
    root: &Folder,
) {
    let Some(cache) = cache else { return };
    for directory in cached {
        let (cache, root, builder) = (Arc::clone(cache), root.clone(), Arc::clone(&ctx.options().builder));
        let restored = blocking(move || {
            let made = cache.restore(directory, &root)?;
            made.map(|made| builder.hand_over(&made).map_err(std::io::Error::other)).transpose()
        });
        match restored.await {
            Ok(Some(())) => ctx.log.say(format!("Restored {directory} from the build cache.")).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(directory, %error, "cannot restore a directory of the build cache"),
        }
    }
}

/// The commands of one build: they share environment, path and time.
struct Commands<'a> {
    ctx: &'a Context<'a>,
    workdir: PathBuf,
    env: Vec<(String, String)>,
    binds: Vec<Bind>,
    toolchain: Toolchain,
    began: Instant,
}

impl<'a> Commands<'a> {
    async fn prepare(
        ctx: &'a Context<'a>,
        root: &Folder,
        sources: &Sources,
        cache: Option<&BuildCache>,
        pages: Vec<(String, String)>,
        began: Instant,
    ) -> Result<Self, StageError> {
        let mut env = system_variables();
        env.extend(pages);
        let (places, binds) =
            package_places(ctx, sources, cache).map_err(StageError::io("open the build cache"))?;
        env.extend(places);
        let own = own_variables(ctx);
        let toolchain = Toolchain::choose(ctx, sources, &own).await?;
        env.extend(own);
        Ok(Self { ctx, workdir: root.in_workspace().to_owned(), env, binds, toolchain, began })
    }

    /// Installs the dependencies as the real service does, unless the project says not to.
    async fn install(&self, sources: &Sources) -> Result<Result<(), String>, StageError> {
        let skip = self.env.iter().any(|(name, value)| name == "SKIP_DEPENDENCY_INSTALL" && is_yes(value));
        if skip {
            self.ctx.log.say("SKIP_DEPENDENCY_INSTALL is set: no dependencies are installed.").await;
            return Ok(Ok(()));
        }
        for install in sources.installs() {
            self.ctx.log.say(format!("Installing dependencies: {}", install.shown())).await;
            let exit = self.run(&self.install_script(&install, sources)).await?;
            if let Err(why) = self.judge(exit, "Installing the dependencies", install.program)? {
                return Ok(Err(why));
            }
        }
        Ok(Ok(()))
    }

    async fn build(&self, command: &str) -> Result<Result<(), String>, StageError> {
        self.ctx.log.say(format!("Running the build command: {command}")).await;
        let exit = self.run(command).await?;
        self.judge(exit, "The build command", "a program that it calls")
    }

    /// Brings the package manager first, where the server does not have it and npm can.
    fn install_script(&self, install: &Install, sources: &Sources) -> String {
        let Some(package) = install.package else { return install.command.to_owned() };
        let program = install.program;
        let variable = format!("{}_VERSION", program.to_uppercase());
        let set = self.env.iter().find(|(name, _)| *name == variable).map(|(_, value)| value.as_str());
        let pinned =
            sources.package_manager().filter(|(name, _)| *name == program).map(|(_, version)| version);
        let version =
            [set, pinned].into_iter().flatten().find(|text| is_version(text)).unwrap_or(package.version);
        // npm warns of a variable that is meant for pnpm.
        format!(
            "{} || env -u npm_config_store_dir npm install --global --prefix \"$HOME/.tools\" {}@{version} || exit 1\n{}",
            package.is_there, package.name, install.command
        )
    }

    async fn run(&self, script: &str) -> Result<Exit, StageError> {
        let limits = &self.ctx.options().limits;
        let step = Step {
            argv: vec!["sh".into(), "-c".into(), format!("{}{script}", self.toolchain.prelude())],
            env: self.env.clone(),
            workspace: self.ctx.dirs.workspace(),
            workdir: self.workdir.clone(),
            home: self.ctx.dirs.home(),
            binds: self.binds.clone(),
            network: true,
            limits: BuildLimits { time: limits.time.saturating_sub(self.began.elapsed()), ..*limits },
        };
        run_logged(self.ctx, step).await
    }

    /// How a command ended, in words for the author.
    fn judge(&self, exit: Exit, what: &str, program: &str) -> Result<Result<(), String>, StageError> {
        let why = match exit {
            Exit::Code(0) => return Ok(Ok(())),
            Exit::Canceled => return Err(StageError::Stopped),
            Exit::Code(127) => {
                format!(
                    "{what} ended with exit code 127: this server does not have {program}; the line above names it."
                )
            }
            Exit::Code(code) => format!("{what} ended with exit code {code}. The lines above say why."),
            Exit::Signal(signal) => format!("{what} was ended by the signal {signal}."),
            Exit::Limit(Limit::Time) => format!(
                "{what} was stopped: a build may take {} s. Make it shorter, or ask the server's operator for more time.",
                self.ctx.options().limits.time.as_secs_f64()
            ),
            Exit::Limit(limit) => {
                format!("{what} was stopped. {}", self.ctx.options().limits.describe(limit))
            }
        };
        Ok(Err(why))
    }
}

/// Variables and directories.
type Places = (Vec<(String, String)>, Vec<Bind>);

/// Leads the package managers that the site uses to their places in the build cache. pnpm has one outside of the
/// workspace in any case: left alone it makes its own in there, and that would be deployed with the site.
fn package_places(
    ctx: &Context<'_>,
    sources: &Sources,
    cache: Option<&BuildCache>,
) -> std::io::Result<Places> {
    let installs = sources.installs();
    let (mut env, mut binds) = (Vec::new(), Vec::new());
    for (variable, program) in PACKAGE_CACHES {
        let used = program == "npm" || installs.iter().any(|install| install.program == program);
        let (host, inside) = match cache {
            Some(cache) if used => (cache.of_packages(program)?, PathBuf::from(CACHE).join(program)),
            None if used && program == "pnpm" => {
                (ctx.dirs.home().join(PNPM_STORE), PathBuf::from(HOME).join(PNPM_STORE))
            }
            _ => continue,
        };
        let seen = ctx.options().builder.seen(&host, &inside);
        env.push((variable.to_owned(), seen.display().to_string()));
        if cache.is_some() {
            binds.push(Bind { host, inside, writable: true });
        }
    }
    Ok((env, binds))
}

/// What every build finds in its environment (Pages API, "Build environment"), and what keeps npm from asking its
/// registry for things that no build needs.
fn system_variables() -> Vec<(String, String)> {
    [
        ("CI", "true"),
        ("CF_PAGES", "1"),
        ("npm_config_audit", "false"),
        ("npm_config_fund", "false"),
        ("npm_config_update_notifier", "false"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// The variables that the project sets for this environment. What no program can be given is left out.
fn own_variables(ctx: &Context<'_>) -> Vec<(String, String)> {
    let variables = ctx.subject.config.env_vars.iter().map(|(name, value)| match value {
        EnvVar::Plain(value) => (name.clone(), value.clone()),
        EnvVar::Secret(value) => (name.clone(), value.expose().clone()),
    });
    let possible = |(name, value): &(String, String)| {
        !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
    };
    variables.filter(possible).collect()
}

fn is_yes(value: &str) -> bool {
    !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "false" | "no")
}

/// Nothing but a version comes into a command line.
fn is_version(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yes_has_several_names_and_a_version_is_only_one() {
        for (text, yes) in [("1", true), ("true", true), ("", false), ("false", false), ("0", false)] {
            assert_eq!(is_yes(text), yes, "{text}");
        }
        for (text, version) in
            [("10.11.1", true), ("9.0.0-rc.1", true), ("1; rm -rf", false), ("", false), ("$(x)", false)]
        {
            assert_eq!(is_version(text), version, "{text}");
        }
    }
}
