//! The settings about Functions, after checking.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use offprint_functions::FunctionLimits;
use offprint_sandbox::{AllowList, Sandbox};

use super::raw::ServeFlags;

/// How Functions run.
#[derive(Clone, Debug)]
pub(crate) struct FunctionSettings {
    /// See [`ServeFlags::functions`].
    pub(crate) runtime: RuntimeChoice,
    /// See [`ServeFlags::workerd`].
    pub(crate) workerd: Option<PathBuf>,
    /// See [`ServeFlags::functions_isolation`].
    pub(crate) isolation: Isolation,
    /// Whether the isolation was asked for by name: then Functions do not run without it.
    pub(crate) isolation_required: bool,
    /// What they may use, and how long they stay.
    pub(crate) limits: FunctionLimits,
    /// See [`ServeFlags::functions_body_bytes_max`].
    pub(crate) body_bytes_max: u64,
    /// See [`ServeFlags::functions_allow`].
    pub(crate) allow: AllowList,
}

/// What runs Functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RuntimeChoice {
    /// workerd, where it is found and works.
    Auto,
    /// workerd.
    Workerd,
    /// Nothing.
    Off,
}

/// What is around the processes that run Functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Namespaces made by bubblewrap.
    Bubblewrap,
    /// Nothing.
    Process,
}

impl FunctionSettings {
    /// Checks what was typed and fills in the defaults.
    ///
    /// # Errors
    /// The first setting that breaks its rule, by its name.
    pub(super) fn check(flags: &ServeFlags) -> anyhow::Result<Self> {
        let defaults = FunctionLimits::default();
        let allow = flags.functions_allow.as_deref().unwrap_or_default();
        let seconds = |name: &str, value: Option<u64>, default: Duration| {
            positive(name, value, default.as_secs()).map(Duration::from_secs)
        };
        Ok(Self {
            runtime: RuntimeChoice::parse(flags.functions.as_deref())?,
            workerd: flags.workerd.clone().map(checked_program).transpose()?,
            isolation: Isolation::parse(flags.functions_isolation.as_deref())?,
            isolation_required: flags.functions_isolation.is_some(),
            limits: FunctionLimits {
                processes: positive("functions-processes", flags.functions_processes, defaults.processes)?,
                processes_of_project: positive(
                    "functions-processes-per-project",
                    flags.functions_processes_per_project,
                    defaults.processes_of_project,
                )?,
                memory_bytes: positive("functions-memory", flags.functions_memory, defaults.memory_bytes)?,
                start: seconds("functions-start-timeout", flags.functions_start_timeout, defaults.start)?,
                compute: seconds(
                    "functions-compute-timeout",
                    flags.functions_compute_timeout,
                    defaults.compute,
                )?,
                answer: seconds("functions-answer-timeout", flags.functions_answer_timeout, defaults.answer)?,
                idle_production: seconds("functions-idle", flags.functions_idle, defaults.idle_production)?,
                idle_preview: seconds(
                    "functions-idle-preview",
                    flags.functions_idle_preview,
                    defaults.idle_preview,
                )?,
                ..defaults
            },
            body_bytes_max: positive(
                "functions-body-bytes-max",
                flags.functions_body_bytes_max,
                BODY_BYTES_MAX,
            )?,
            allow: allow.parse().with_context(|| format!("functions-allow: '{allow}'"))?,
        })
    }
}

/// As for Cloudflare Workers (Pages API, "Limits").
const BODY_BYTES_MAX: u64 = 100 * 1024 * 1024;

impl RuntimeChoice {
    fn parse(name: Option<&str>) -> anyhow::Result<Self> {
        Ok(match name {
            None | Some("auto") => Self::Auto,
            Some("workerd") => Self::Workerd,
            Some("off") => Self::Off,
            Some(other) => bail!("functions: '{other}' is neither auto nor workerd nor off"),
        })
    }

    /// The word that chooses it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Workerd => "workerd",
            Self::Off => "off",
        }
    }
}

impl Isolation {
    fn parse(name: Option<&str>) -> anyhow::Result<Self> {
        Ok(match name {
            Some("bubblewrap") => Self::Bubblewrap,
            Some("process") => Self::Process,
            None if Sandbox::is_installed() => Self::Bubblewrap,
            None => Self::Process,
            Some(other) => bail!("functions-isolation: '{other}' is neither bubblewrap nor process"),
        })
    }

    /// The word that chooses it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bubblewrap => "bubblewrap",
            Self::Process => "process",
        }
    }
}

fn positive<T: Default + PartialEq>(name: &str, value: Option<T>, default: T) -> anyhow::Result<T> {
    ensure!(value.as_ref() != Some(&T::default()), "{name}: 0 would let no Function run");
    Ok(value.unwrap_or(default))
}

/// Absolute, since processes start elsewhere.
fn checked_program(path: PathBuf) -> anyhow::Result<PathBuf> {
    let real = path.canonicalize().with_context(|| format!("workerd: {}", path.display()))?;
    ensure!(real.is_file(), "workerd: {} is no file", path.display());
    Ok(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let functions = FunctionSettings::check(&ServeFlags::default()).unwrap();
        let limits = functions.limits;
        assert_eq!(functions.runtime, RuntimeChoice::Auto);
        assert!(functions.workerd.is_none() && !functions.isolation_required);
        assert_eq!((limits.processes, limits.processes_of_project), (64, 16));
        assert_eq!((limits.memory_bytes, functions.body_bytes_max), (268_435_456, 104_857_600));
        let seconds =
            [limits.start, limits.compute, limits.answer, limits.idle_production, limits.idle_preview];
        assert_eq!(seconds.map(|time| time.as_secs()), [10, 30, 100, 600, 60]);
        assert_eq!(functions.allow, AllowList::default());
    }
}
