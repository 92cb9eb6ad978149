//! Builds, from a repository made with git to a live site: with a real store and a builder without walls.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cache;
mod failures;
mod house;
mod interruptions;
mod repositories;
mod shell;
mod sites;
#[path = "../../../store/tests/support/mod.rs"]
mod support;
mod versions;
