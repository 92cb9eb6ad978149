//! Prints a log while it is written.

use anyhow::bail;
use offprint_client::PagesClient;
use offprint_client::follow::LogEvent;
use offprint_client::types::{Deployment, LogLine, Standing};

use super::output;

/// Prints the log of a deployment from its first line to its end: lines on standard output, stages on standard
/// error.
///
/// # Errors
/// The deployment did not go live, or the API could not be asked.
pub(crate) async fn follow(client: &PagesClient, project: &str, id: &str) -> anyhow::Result<Deployment> {
    let mut follower = client.follow_log(project, id);
    while let Some(event) = follower.next().await? {
        match event {
            LogEvent::Line(line) => print(&line)?,
            LogEvent::Stage { name, status } => output::note(format_args!("{name}: {status}")),
            LogEvent::End => break,
        }
    }
    let ended = follower.deployment().await?;
    if ended.standing() == Standing::Live {
        return Ok(ended);
    }
    let skipped = ended.other.get("is_skipped").and_then(serde_json::Value::as_bool).unwrap_or(false);
    if skipped {
        let reason =
            ended.other.get("skip_reason").and_then(serde_json::Value::as_str).unwrap_or("no reason given");
        bail!("the deployment was skipped: {reason}");
    }
    let stage = &ended.latest_stage;
    bail!("the deployment did not go live: {} {}", stage.name, stage.status)
}

/// One line of a log. A build writes what it likes: nothing of it may play with the terminal.
///
/// # Errors
/// As [`output::line()`].
pub(crate) fn print(line: &LogLine) -> anyhow::Result<()> {
    output::line(format_args!("{} {}", line.ts, output::plain(&line.line)))
}
