//! Hostile programs against the real walls: bubblewrap and the kernel of this machine.
//!
//! Each test names a claim of docs/BUILD-ISOLATION.md. Without bubblewrap they say so and pass, unless `CI=true`.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests may panic, and read the environment"
)]

mod death;
mod limits;
mod network;
mod plain;
mod service;
mod share;
mod sight;
mod support;
