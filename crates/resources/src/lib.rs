//! What bindings of Functions lead to: the contents of KV namespaces, D1 databases, R2 buckets, and caches.
//!
//! Which resources there are, and whose, is the store's to know; its [`Resource`](offprint_store::Resource) is the
//! receipt with which everything here is asked for. Contents are apart from the store's metadata, a SQLite file for
//! each namespace and each database, so that a busy Function waits for itself and not for deployments. Knows neither
//! HTTP nor the ways in which Functions and the REST APIs ask.

mod resources;

pub mod d1;
pub mod kv;
pub mod r2;

mod error;
mod file;
mod keeper;
mod memory;

pub use d1::D1;
pub use error::{ResourceError, Result};
pub use kv::Kv;
pub use memory::{MemoryBudget, Reserved};
pub use r2::R2;
pub use resources::{CreateError, Resources};
