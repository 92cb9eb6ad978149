//! The hidden subcommand with which the server is its own helper in a sandbox.

use std::ffi::OsString;
use std::process::ExitCode;

/// The name of the subcommand.
pub(crate) const SUBCOMMAND: &str = "sandbox-helper";

/// Runs the helper when this process was started as one. That comes before anything else: the helper has no
/// arguments that are meant for people, and no threads.
pub(crate) fn run_if_asked_for() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let is_helper = args.next().is_some_and(|first| first == SUBCOMMAND);
    is_helper.then(|| offprint_pipeline::builder::sandbox_helper(args.collect::<Vec<OsString>>()))
}
