//! Takes deployments to their end.
//!
//! Jobs live in the store. A worker claims one, holding a lease that expires unless renewed, and advances the
//! deployment stage by stage. Every write carries the lease, so a worker that was given up for dead can
//! change nothing. What a site's author did wrong ends as a failed stage and a log that says why; what we did
//! wrong is an error, and the job is tried again.
//!
//! Beside them one worker makes compressed variants of what went live.
//!
//! Knows nothing of HTTP, of either API's shapes, or of how requests find a site.

mod deploy;
mod runner;
mod variants;

pub use runner::{Pipeline, PipelineOptions};
