//! Takes deployments to their end.
//!
//! Jobs live in the store. A worker claims one, holding a lease that expires unless renewed, and advances the
//! deployment stage by stage. Every write carries the lease, so a worker that was given up for dead can
//! change nothing. What a site's author did wrong ends as a failed stage and a log that says why; what we did
//! wrong is an error, and the job is tried again.
//!
//! Beside them one worker makes compressed variants of what went live, one tells forges how deployments are, and
//! one looks for new commits where no webhook comes. One looks at the versions of apps that are to be built: those whose
//! files are their content it takes as they are, the others go on to whoever builds. One tells subscribers of events.
//!
//! Knows nothing of either API's shapes, or of how requests find a site.

pub mod builder;
mod runner;
mod stages;
mod worker;

mod builds_off;
mod cache;
mod compiled;
mod files;
mod framework;
mod git;
mod host_tools;
mod ingest;
mod log_sink;
mod mask;
mod tools;
mod version_files;
mod workspace;
mod wrangler_file;

mod feedback;
mod poll;
mod variants;
mod verify;
mod versions;
mod webhooks;

pub use feedback::{DeploymentLinks, Feedback, FeedbackOptions, LinksOf, MayReach};
pub use ingest::SiteLimits;
pub use poll::Poller;
pub use runner::{Pipeline, PipelineOptions};
pub use stages::{BuildOptions, UrlOf};
pub use verify::{FetchRoot, RootAnswer};
