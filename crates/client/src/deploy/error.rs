//! What can stop a deployment.

use std::path::PathBuf;

use crate::error::ClientError;
use crate::types::Deployment;

/// Why a folder did not go live. Every text says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The folder is no folder.
    #[error("{} is not a directory; give the directory that holds the built site", .0.display())]
    NotADirectory(PathBuf),
    /// There is nothing to deploy.
    #[error("{} holds nothing to deploy; has the site been built?", .0.display())]
    Empty(PathBuf),
    /// A file or directory cannot be read.
    #[error("cannot read {}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A name cannot become a path of a site.
    #[error("{} cannot be part of a site: {why}; rename or remove it", .path.display())]
    BadName {
        /// Which.
        path: PathBuf,
        /// The rule that it breaks.
        why: String,
    },
    /// Neither file nor directory.
    #[error("{} is neither a file nor a directory; remove it", .0.display())]
    Special(PathBuf),
    /// A link leads back to a directory above it.
    #[error("{} links to a directory that contains it; remove the link", .0.display())]
    Loop(PathBuf),
    /// A link leads to where it may not.
    #[error("{} is a link that leads out of the repository; put a copy of what it leads to in its place", .0.display())]
    Outside(PathBuf),
    /// More assets than the server takes.
    #[error("the site has {assets} files, the server takes {limit}; leave some out or raise its limit")]
    TooMany {
        /// How many there are.
        assets: usize,
        /// How many there may be.
        limit: usize,
    },
    /// An asset is too large.
    #[error("{} has {size} bytes, {limit} are allowed; serve it from elsewhere or make it smaller", .path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// The largest allowed.
        limit: u64,
    },
    /// A file changed while it was being deployed.
    #[error("{} changed while it was being deployed; nothing went live; deploy again when the build is done", .0.display())]
    Changed(PathBuf),
    /// A Worker that needs bundling.
    #[error("{} is a directory of modules; they need bundling, which `wrangler pages deploy` does for now", .0.display())]
    WorkerNeedsBundling(PathBuf),
    /// The API refused or could not be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The deployment was made but did not go live.
    #[error("the deployment failed at the stage '{}'; {} is not live", .deployment.latest_stage.name, .deployment.url)]
    Failed {
        /// As last seen.
        deployment: Box<Deployment>,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// The deployment was made but is not live yet.
    #[error(
        "the deployment was made but is still at the stage '{}'; watch it with \
         `offprint deployment info {}`", .0.latest_stage.name, .0.id
    )]
    Unfinished(Box<Deployment>),
}

impl DeployError {
    /// A file or directory that cannot be read.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.into(), source }
    }
}
