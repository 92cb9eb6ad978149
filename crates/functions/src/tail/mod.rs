//! What Functions say while they run: for whoever watches now, and the recent exceptions for later.
//!
//! A tail worker in the process of a deployment ([`WORKER`]) gets every event in the form that
//! `wrangler pages deployment tail` shows. It passes on what is wanted, which [`Tails::wants`] is asked for with each
//! request; the wish travels in the header [`HEADER`], so that nothing is spent when nobody watches.

use bytes::Bytes;

use crate::key::DeploymentKey;

/// The tail worker's module. It posts arrays of events as JSON to its binding `SINK`.
pub const WORKER: &str = include_str!("tail.js");

/// The header of requests to a process that says what is wanted of their events: `all`, or absent.
pub const HEADER: &str = "offprint-tail";

/// What is wanted of a request's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Only those with an exception.
    Exceptions,
    /// All: somebody watches.
    Everything,
}

/// Gathers events and hands them to watchers. Clones share everything.
#[derive(Clone, Default)]
pub struct Tails {
    _private: (),
}

impl Tails {
    /// What is wanted of a deployment's next request. Asked for every request: it must cost next to nothing.
    pub fn wants(&self, _key: &DeploymentKey) -> Wants {
        Wants::Exceptions
    }

    /// Takes what the tail worker has sent: an array of events as JSON.
    pub async fn receive(&self, _key: &DeploymentKey, _events: Bytes) {}
}
