//! The edge on a real store in a temporary directory, asked in process.
//!
//! `conformance` runs the recorded answers of Cloudflare Pages; `routing` holds what those do not show:
//! hosts without a site, activation, rollback, large assets. `wire` looks at the bytes of HTTP/1. `ranges`,
//! `variants` and `skew` hold what Offprint adds, and that `--strict` takes it away. `ready` compares the shortcut
//! for plain requests with the ordinary way, in every test.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test program")]

mod analytics;
mod cases;
mod conformance;
mod house;
mod manifest_bounds;
mod ranges;
mod ready;
mod routing;
mod skew;
mod variants;
mod wire;
mod workers;
