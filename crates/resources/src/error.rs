//! What can go wrong with contents.

use std::path::PathBuf;
use std::sync::Arc;

use offprint_store::StoreError;

/// Why contents cannot be read or changed. What a client did wrong has types of its own.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ResourceError {
    /// The resource was deleted.
    #[error("the resource was deleted")]
    Gone,
    /// The database of the contents failed. Shared by those whose writes it was asked to make at once.
    #[error("the contents of a resource cannot be used")]
    Sqlite(#[source] Arc<rusqlite::Error>),
    /// The disk failed.
    #[error("cannot access {}", path.display())]
    Io {
        /// What was accessed.
        path: PathBuf,
        /// How it failed.
        source: Arc<std::io::Error>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// Stored contents break their own rules, or a task ended early: a bug or a damaged disk.
    #[error("the contents of a resource are damaged: {0}")]
    Corrupt(String),
}

impl ResourceError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source: Arc::new(source) }
    }
}

impl From<rusqlite::Error> for ResourceError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

impl From<StoreError> for ResourceError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// The result of a call.
pub type Result<T, E = ResourceError> = std::result::Result<T, E>;
