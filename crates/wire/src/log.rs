//! The log of a deployment.

use std::borrow::Cow;

use offprint_model::deployment::LogLine as Model;
use offprint_model::stages::Stages;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// `GET …/history/logs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// When it was written.
    pub ts: Time,
    /// The text.
    pub line: String,
}

impl DeploymentLog {
    /// A log of these lines.
    pub fn new(lines: Vec<Model>, includes_container_logs: bool) -> Self {
        let data: Vec<LogLine> = lines.into_iter().map(LogLine::from).collect();
        Self { total: data.len() as u64, includes_container_logs, data }
    }
}

/// `event: line` of the log's stream; its id is the line's number.
impl From<Model> for LogLine {
    fn from(line: Model) -> Self {
        Self { ts: Time(line.at), line: line.text }
    }
}

/// `event: end` of the log's stream: the deployment has ended, and nothing follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEnd {
    /// `success`, `failure`, `canceled` or `skipped`.
    pub status: Cow<'static, str>,
}

impl LogEnd {
    /// How a deployment that has ended did.
    pub fn new(stages: &Stages) -> Self {
        Self { status: Cow::Borrowed(stages.get(stages.current()).status.as_str()) }
    }
}
