//! Runs the Functions of deployments, and keeps what they keep.
//!
//! [`FunctionRuntime`] is the door: [`Workerd`] runs each deployment's Functions in processes of workerd, started when
//! they are needed and stopped when they are not; [`NoRuntime`] says why nothing runs. A deployment is named by its
//! [`DeploymentKey`]; what belongs to it is read from the store when it is first needed.
//!
//! ```text
//! edge ── answer(key, visitor, request) ──► Workerd ── unix socket ──► workerd, in walls
//!   ▲                                                                     │
//!   └── Assets ◄── the deployment's own sockets: assets, bindings, ───────┘
//!                  tail, the egress proxy
//! ```
//!
//! Knows neither the APIs, nor tokens, nor the routing table.

mod assets;
pub mod bindings;
mod body;
mod egress;
mod key;
mod none;
mod pages;
mod plan;
mod runtime;
pub mod tail;
pub mod tools;
mod upgrade;
mod workerd;

pub use assets::{Assets, AssetsHandler};
pub use bindings::{Bindings, Resource};
pub use body::{Body, BoxError, empty, full, read_whole};
pub use key::DeploymentKey;
pub use none::NoRuntime;
pub use runtime::{CheckFailure, Declined, FunctionRuntime, RuntimeCounts, TlsSession, Visitor};
pub use tail::Tails;
pub use workerd::{FunctionLimits, UrlOf, Workerd, WorkerdError, WorkerdOptions};
