//! The log of a deployment.

use offprint_model::deployment::LogLine as Model;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// `GET …/history/logs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentLog {
    /// The number of entries in `data`: wrangler reads `data[total - 1]`.
    pub total: u64,
    /// Whether a build wrote any of it.
    #[serde(default)]
    pub includes_container_logs: bool,
    /// The lines, oldest first.
    pub data: Vec<LogLine>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written.
    pub ts: Time,
    /// The text.
    pub line: String,
}

impl DeploymentLog {
    /// A log of these lines.
    pub fn new(lines: Vec<Model>, includes_container_logs: bool) -> Self {
        let data: Vec<LogLine> =
            lines.into_iter().map(|line| LogLine { ts: Time(line.at), line: line.text }).collect();
        Self { total: data.len() as u64, includes_container_logs, data }
    }
}
