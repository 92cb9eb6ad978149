//! The store against a real database and a real directory. One binary, so that it links once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "measurements are printed")]

#[path = "../support/mod.rs"]
mod support;

mod assets;
mod blobs;
mod builds;
mod cancel;
mod collection;
mod credentials;
mod deliveries;
mod deployments;
mod domains;
mod feedback;
mod heads;
mod history;
mod hooks;
mod jobs;
mod lists;
mod migration;
mod order;
mod postgres;
mod predecessors;
mod projects;
mod pull_requests;
mod purge;
mod queue;
mod routing;
mod scale;
mod tokens;
mod variants;
mod versions;
