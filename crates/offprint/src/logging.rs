//! Structured logs on standard error.

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::checked::LogFormat;

/// Sends log lines to standard error, so that standard output stays for answers.
///
/// # Errors
/// A filter that does not parse.
pub(crate) fn start(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("log: '{filter}' is not a filter"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => lines.with_ansi(console::colors_enabled_stderr()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(anyhow::Error::from_boxed)
}
