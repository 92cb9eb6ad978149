//! What can go wrong in the sandbox; never the fault of what runs in it.

use std::io;

/// Why a command could not be run or watched.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// This machine cannot make the walls: what the attempt said.
    #[error("the sandbox does not work here: {0}")]
    Unusable(String),
    /// The command was not started: what was said instead.
    #[error("the sandbox did not start: {0}")]
    NotStarted(String),
    /// A file or process of the sandbox itself.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

impl SandboxError {
    /// Wraps an error of the system with what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
