//! The settings about builds, after checking.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use offprint_pipeline::builder::{AllowList, BubblewrapBuilder, BuildLimits};

use super::raw::ServeFlags;

/// How repositories are built.
#[derive(Clone, Debug)]
pub(crate) struct BuildSettings {
    /// See [`ServeFlags::builder`].
    pub(crate) builder: BuilderChoice,
    /// Whether the builder was asked for by name: then a server in which it does not work shall not start.
    pub(crate) builder_required: bool,
    /// What a build may use.
    pub(crate) limits: BuildLimits,
    /// See [`ServeFlags::build_allow`].
    pub(crate) allow: AllowList,
    /// Absolute paths of directories that exist.
    pub(crate) tools: Vec<PathBuf>,
    /// See [`ServeFlags::wrangler`].
    pub(crate) wrangler: Option<PathBuf>,
    /// The absolute path of a directory that exists; `None`: no repository of this machine is built.
    pub(crate) local_repositories: Option<PathBuf>,
    /// `None`: nothing is polled.
    pub(crate) poll_interval: Option<Duration>,
    /// At least 1.
    pub(crate) workers: usize,
    /// `None` sets no limit.
    pub(crate) per_account: Option<u32>,
}

/// What runs builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuilderChoice {
    /// Namespaces made by bubblewrap.
    Bubblewrap,
    /// Plain processes.
    Process,
    /// Nothing: the server builds no repositories.
    Off,
}

const GIB: u64 = 1 << 30;

impl BuildSettings {
    /// Checks what was typed and fills in the defaults.
    ///
    /// # Errors
    /// The first setting that breaks its rule, by its name.
    pub(super) fn check(flags: &ServeFlags) -> anyhow::Result<Self> {
        let allow = flags.build_allow.as_deref().unwrap_or_default();
        let tools = flags.build_tools.iter().flatten();
        Ok(Self {
            builder: BuilderChoice::parse(flags.builder.as_deref())?,
            builder_required: flags.builder.is_some(),
            limits: BuildLimits {
                time: Duration::from_secs(positive("build-timeout", flags.build_timeout, 1200)?),
                memory_bytes: positive("build-memory", flags.build_memory, 4 * GIB)?,
                pids: positive("build-pids", flags.build_pids, 1024)?,
                disk_bytes: positive("build-disk", flags.build_disk, 10 * GIB)?,
                cpus: positive("build-cpus", flags.build_cpus, 2)?,
            },
            allow: allow.parse().with_context(|| format!("build-allow: '{allow}'"))?,
            tools: tools.map(|path| directory("build-tools", path)).collect::<Result<_, _>>()?,
            wrangler: flags.wrangler.clone(),
            local_repositories: flags
                .local_repositories
                .as_deref()
                .map(|path| directory("local-repositories", path))
                .transpose()?,
            poll_interval: Some(flags.poll_interval.unwrap_or(60))
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            workers: positive("build-workers", flags.build_workers, 2)?,
            per_account: Some(flags.builds_per_account.unwrap_or(1)).filter(|most| *most > 0),
        })
    }
}

impl BuilderChoice {
    fn parse(name: Option<&str>) -> anyhow::Result<Self> {
        Ok(match name {
            Some("bubblewrap") => Self::Bubblewrap,
            Some("process") => Self::Process,
            Some("off") => Self::Off,
            None if BubblewrapBuilder::is_installed() => Self::Bubblewrap,
            None => Self::Off,
            Some(other) => bail!("builder: '{other}' is neither bubblewrap nor process nor off"),
        })
    }

    /// The word that chooses it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bubblewrap => "bubblewrap",
            Self::Process => "process",
            Self::Off => "off",
        }
    }
}

fn positive<T: Default + PartialEq>(name: &str, value: Option<T>, default: T) -> anyhow::Result<T> {
    ensure!(value.as_ref() != Some(&T::default()), "{name}: 0 would let no build run");
    Ok(value.unwrap_or(default))
}

/// Builds see it under its own path, so that must not depend on where the server was started.
fn directory(name: &str, path: &Path) -> anyhow::Result<PathBuf> {
    let real = path.canonicalize().with_context(|| format!("{name}: {}", path.display()))?;
    ensure!(real.is_dir(), "{name}: {} is no directory", path.display());
    Ok(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let builds = BuildSettings::check(&ServeFlags::default()).unwrap();
        let limits = builds.limits;
        assert_eq!((limits.time.as_secs(), limits.pids, limits.cpus), (1200, 1024, 2));
        assert_eq!((limits.memory_bytes, limits.disk_bytes), (4_294_967_296, 10_737_418_240));
        assert_eq!((builds.workers, builds.per_account), (2, Some(1)));
        assert_eq!(builds.poll_interval, Some(Duration::from_secs(60)));
        assert!(!builds.builder_required && builds.tools.is_empty() && builds.local_repositories.is_none());
        assert_eq!(builds.allow, AllowList::default());
    }

    #[test]
    fn zero_turns_off_what_can_be_off() {
        let flags = ServeFlags { poll_interval: Some(0), builds_per_account: Some(0), ..Default::default() };
        let builds = BuildSettings::check(&flags).unwrap();
        assert_eq!((builds.poll_interval, builds.per_account), (None, None));
    }
}
