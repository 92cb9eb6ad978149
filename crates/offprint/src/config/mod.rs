//! Configuration in two layers: [`raw`] is what was typed, [`checked`] is one ready-to-use value.
//!
//! Flags win over `OFFPRINT_*` variables, those over `offprint.toml`, that over the defaults. This and the
//! flags of the client commands are the only readers of the environment.

mod builds;
pub(crate) mod checked;
mod functions;
pub(crate) mod raw;
mod tools;

pub(crate) use checked::ServeConfig;
pub(crate) use raw::{ServeFlags, StoreFlags};
pub(crate) use tools::tools;

use crate::cli::output;

/// `offprint config check`: says what the settings come to, secrets left out.
///
/// # Errors
/// The setting that breaks its rule.
pub(crate) fn check(flags: ServeFlags) -> anyhow::Result<()> {
    let file = flags.config.clone();
    let config = ServeConfig::check(flags.with_file()?)?;
    let public_url = config.public_url.as_ref().map_or_else(
        || checked::PublicUrl::of_listener(config.listen, config.tls.is_some()).to_string(),
        ToString::to_string,
    );
    if let Some(file) = file {
        output::line(format_args!("config       {}", file.display()))?;
    }
    output::line(format_args!("data         {}", config.data.display()))?;
    if let Some(database) = &config.database {
        output::line(format_args!("database     {database}"))?;
    }
    output::line(format_args!("listen       {}", config.listen))?;
    output::line(format_args!("public-url   {public_url}"))?;
    output::line(format_args!("domain       {}", config.domain))?;
    if let Some(tls) = &config.tls {
        output::line(format_args!("tls          {}, {}", tls.cert.display(), tls.key.display()))?;
    }
    output::line(format_args!("strict       {}", if config.strict { "yes" } else { "no" }))?;
    output::line(format_args!("skew         {} s", config.skew_protection.as_secs()))?;
    output::line(format_args!(
        "limits       {} bytes an asset, {} assets a deployment",
        config.file_bytes_max, config.files_max
    ))?;
    let builds = &config.builds;
    output::line(format_args!(
        "builds       {}; {} at once; {} bytes of memory and {} s each",
        builds.builder.name(),
        builds.workers,
        builds.limits.memory_bytes,
        builds.limits.time.as_secs()
    ))?;
    let functions = &config.functions;
    output::line(format_args!(
        "functions    {}; {} processes of {} bytes, isolation {}",
        functions.runtime.name(),
        functions.limits.processes,
        functions.limits.memory_bytes,
        functions.isolation.name()
    ))?;
    if let Some(workerd) = &functions.workerd {
        output::line(format_args!("workerd      {}", workerd.display()))?;
    }
    if let Some(log) = &config.access_log {
        let to = log.file.as_ref().map_or("standard output".into(), |file| file.display().to_string());
        output::line(format_args!("access-log   {to}, {} of the requests", log.sample))?;
    }
    output::line(format_args!(
        "account-id   {}",
        config.account_id.as_ref().map_or("made at the first start", |id| id.as_str())
    ))?;
    output::line(format_args!("The configuration is valid."))
}
