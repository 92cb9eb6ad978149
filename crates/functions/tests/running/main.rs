//! Functions on the released workerd, in the walls of this machine, with a real store.
//!
//! Without workerd (`scripts/setup-test-peers` installs it) or bubblewrap they say so and pass, unless `CI=true`.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests may panic, and read the environment"
)]

mod answers;
mod bundles;
mod checks;
mod ends;
mod house;
mod limits;
mod network;
mod streams;
#[path = "../../../store/tests/support/mod.rs"]
mod support;
