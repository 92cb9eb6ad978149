//! Bindings as Functions see them: a real workerd asks over unix sockets. One binary, so that it links once.
//!
//! What a Function may expect is not written down here but compared: the same Worker runs under miniflare, which is
//! what `wrangler dev` stands on, and must see the same. Where we mean to differ, the test says so.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests may panic, and find the installed clients through the environment"
)]

mod support;

mod cache;
mod d1;
mod durable;
mod kv;
mod r2;
