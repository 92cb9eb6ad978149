//! Drives the real binary over HTTP, with the clients that people use.
//!
//! One binary for all of it, so that it links once. The modules below `pages` are named after the paths
//! they call; `wrangler` and `sdk` run released clients; the rest are claims that cut across.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests may panic, and find the installed clients through the environment"
)]

mod access_log;
mod bad_input;
mod builds;
mod cli;
mod compatibility;
mod deploys;
mod functions;
mod http2;
mod identity;
mod isolation;
mod lane;
mod metrics;
mod operation;
mod pages;
mod postgres;
mod races;
mod raw_http;
mod samples;
mod sdk;
mod support;
mod tidy;
mod tls;
mod traps;
mod unauthorized;
mod webhooks;
mod wrangler;
