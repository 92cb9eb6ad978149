//! The store against a real database and a real directory. One binary, so that it links once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "measurements are printed")]

#[path = "../support/mod.rs"]
mod support;

mod assets;
mod blobs;
mod collection;
mod deployments;
mod domains;
mod jobs;
mod migration;
mod order;
mod predecessors;
mod projects;
mod routing;
mod scale;
mod tokens;
mod variants;
