//! Runs programs that we do not trust, and ends them.
//!
//! A [`Sandbox`] runs one command at a time in walls of its own: Linux namespaces made by bubblewrap, limits by
//! control groups or by watching, and no network but a proxy on a socket that judges every address ([`egress`]).
//! [`Sandbox::plain`] is the same without the walls, for machines that have none to offer.
//!
//! ```text
//! server ── control socket, output pipe ──┐
//!   └ helper "enter": drops privileges, becomes
//!      └ bwrap: namespaces, mounts, becomes
//!         └ helper "hold": process 1 in there; limits, relay to the proxy, reaps
//!            └ the command
//! ```
//!
//! The binary that uses this crate hands the arguments of one hidden subcommand to [`helper::main`]; that is how it
//! comes to be its own helper. When the server dies, the control socket closes, process 1 ends, and the kernel
//! kills whatever it was holding.
//!
//! Knows nothing of what the commands are for.

mod bubblewrap;
mod control;
pub mod egress;
mod error;
pub mod helper;
mod identity;
mod limiter;
mod options;
mod output;
mod proc;
mod sandbox;
mod scratch;
mod service;
mod share;
mod spawner;
mod spec;
mod step;
mod tree;
mod watch;

pub use egress::AllowList;
pub use error::SandboxError;
pub use options::{Helper, SandboxOptions};
pub use sandbox::Sandbox;
pub use service::{CpuTime, Meter, Service};
pub use share::{Claim, CpuShare};
pub use spec::{Exit, Limit, Limits, Mount, Spec};
pub use tree::remove_tree;
