//! What Functions say while they run: for whoever watches now, and the recent failures for later.
//!
//! A tail worker in the process of a deployment ([`WORKER`]) gets every event. It passes on what failed, and all of a
//! request that came with the header [`HEADER`], which it gets while [`Tails::wants`] says that somebody watches: so
//! nothing is spent when nobody does, and whoever begins to watch sees the very next request. A tail worker that asks
//! now and then whether somebody watches was the other way: it costs posts without a watcher, and misses his first
//! events.
//!
//! A tail is one wish to watch a deployment, with filters. Its address holds a secret, which is all that the watcher
//! has to show. Filters and sampling are applied here.

mod filter;
mod kept;
mod watcher;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use offprint_model::secret::Secret;
use offprint_wire::tail::{Filter, TailEvent};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::key::DeploymentKey;
use kept::Kept;
use watcher::Queue;

pub use filter::admits;
pub use watcher::{Message, Watcher};

/// The tail worker's module. It posts events as JSON to its binding `SINK`.
pub const WORKER: &str = include_str!("tail.js");

/// The header of requests to a process that says what is wanted of their events: `all`, or absent.
pub const HEADER: &str = "offprint-tail";

/// How long a tail can be connected to and watched.
pub const LIFETIME: Duration = Duration::from_secs(6 * 3600);
/// So many tails a deployment may have, and as many may watch it.
pub const TAILS_OF_DEPLOYMENT: usize = 50;
/// So many tails there may be in all.
const TAILS_MAX: usize = 2000;
const ID_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;

/// What is wanted of a request's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Only those of calls that failed.
    Exceptions,
    /// All: somebody watches.
    Everything,
}

/// A tail that can be watched now.
pub struct Started {
    /// By which it is ended.
    pub id: String,
    /// By which it is watched.
    pub secret: Secret<String>,
}

/// The deployment is watched by as many as may watch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many watch this deployment")]
pub struct TooManyTails;

/// Gathers events and hands them to watchers. Clones share everything.
#[derive(Clone, Default)]
pub struct Tails(Arc<Hub>);

#[derive(Default)]
struct Hub {
    /// How many watch anything: what every request asks first.
    watchers: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By their secrets.
    tails: HashMap<String, Tail>,
    /// The secrets of a deployment's tails, oldest first.
    of: HashMap<DeploymentKey, Vec<String>>,
    connections: u64,
    kept: Kept,
}

struct Tail {
    id: String,
    key: DeploymentKey,
    filters: Arc<[Filter]>,
    expires: Instant,
    /// The queue of whoever watches, and the number of his connection.
    watched: Option<(u64, Queue)>,
}

/// What the tail worker posts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    events: Vec<TailEvent>,
    #[serde(default)]
    left_out: u64,
}

impl Tails {
    /// Starts a tail. Where there is no room, one that nobody watches makes some.
    ///
    /// # Errors
    /// Too many watch the deployment, or this server.
    pub fn start(&self, key: DeploymentKey, filters: Vec<Filter>) -> Result<Started, TooManyTails> {
        let mut state = self.state();
        state.drop_expired();
        if state.of.get(&key).is_some_and(|secrets| secrets.len() >= TAILS_OF_DEPLOYMENT) {
            let idle = state.of[&key].iter().find(|secret| state.tails[*secret].watched.is_none()).cloned();
            state.drop_tail(&idle.ok_or(TooManyTails)?);
        }
        if state.tails.len() >= TAILS_MAX {
            return Err(TooManyTails);
        }
        let (id, secret) = (random_hex::<ID_BYTES>(), random_hex::<SECRET_BYTES>());
        let (filters, expires) = (filters.into(), Instant::now() + LIFETIME);
        state.of.entry(key.clone()).or_default().push(secret.clone());
        state.tails.insert(secret.clone(), Tail { id: id.clone(), key, filters, expires, watched: None });
        self.settle(&state);
        Ok(Started { id, secret: Secret::new(secret) })
    }

    /// Watches by the secret of a tail; `None`: there is no such tail, or it has expired. Whoever watched by the same
    /// secret before does not any more.
    pub fn watch(&self, secret: &str) -> Option<Watcher> {
        let mut state = self.state();
        state.drop_expired();
        state.connections += 1;
        let number = state.connections;
        let tail = state.tails.get_mut(secret)?;
        let (queue, waiting) = watcher::queue();
        let expires = tail.expires;
        tail.watched = Some((number, queue));
        self.settle(&state);
        Some(Watcher::new(self.clone(), secret.to_owned(), number, waiting, expires))
    }

    /// Ends a tail of a deployment, and whoever watches by it. One that is not there has ended.
    pub fn end(&self, key: &DeploymentKey, id: &str) {
        let mut state = self.state();
        let found =
            state.of.get(key).into_iter().flatten().find(|secret| state.tails[*secret].id == id).cloned();
        if let Some(secret) = found {
            state.drop_tail(&secret);
            self.settle(&state);
        }
    }

    /// What is wanted of a deployment's next request. Costs a look at a number when nobody watches anything.
    pub fn wants(&self, key: &DeploymentKey) -> Wants {
        let is_watched =
            self.0.watchers.load(Ordering::Relaxed) > 0 && self.state().watching(key).next().is_some();
        if is_watched { Wants::Everything } else { Wants::Exceptions }
    }

    /// Takes what the tail worker of a deployment has posted.
    pub async fn receive(&self, key: &DeploymentKey, posted: Bytes) {
        match serde_json::from_slice::<Posted>(&posted) {
            Ok(Posted { events, left_out }) => self.publish(key, events, left_out),
            Err(error) => {
                tracing::warn!(deployment = %key, %error, "cannot read what a tail worker has posted")
            }
        }
    }

    /// Tells of calls: hands them to whoever watches, and keeps those that failed. `left_out` more were lost before.
    pub fn publish(&self, key: &DeploymentKey, events: Vec<TailEvent>, left_out: u64) {
        let watching: Vec<_> = self.state().watching(key).collect();
        if left_out > 0 {
            watching.iter().for_each(|(_, queue)| queue.miss(left_out));
        }
        for event in events {
            let event = tidied(key, event);
            let mut text = None;
            for (_, queue) in watching.iter().filter(|(filters, _)| admits(filters, &event)) {
                queue.push(text.get_or_insert_with(|| message(&event)));
            }
            if event.has_failed() {
                self.state().kept.keep(key, event);
            }
        }
    }

    /// The recent calls of a deployment that failed, newest first.
    pub fn failures(&self, key: &DeploymentKey) -> Vec<Arc<TailEvent>> {
        self.state().kept.of(key)
    }

    /// A watcher has gone.
    fn leave(&self, secret: &str, number: u64) {
        let mut state = self.state();
        if let Some(tail) = state.tails.get_mut(secret) {
            // Another connection may have taken its place.
            tail.watched.take_if(|(connected, _)| *connected == number);
            self.settle(&state);
        }
    }

    /// Counts the watchers, whenever there may be more or fewer of them.
    fn settle(&self, state: &State) {
        let watchers = state.tails.values().filter(|tail| tail.watched.is_some()).count();
        self.0.watchers.store(watchers, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Filters and queue of each who watches a deployment.
    fn watching(&self, key: &DeploymentKey) -> impl Iterator<Item = (Arc<[Filter]>, Queue)> {
        let tails = self.of.get(key).into_iter().flatten().filter_map(|secret| self.tails.get(secret));
        tails.filter_map(|tail| {
            tail.watched.as_ref().map(|(_, queue)| (Arc::clone(&tail.filters), queue.clone()))
        })
    }

    fn drop_expired(&mut self) {
        let now = Instant::now();
        let expired = self.tails.iter().filter(|(_, tail)| tail.expires <= now);
        for secret in expired.map(|(secret, _)| secret.clone()).collect::<Vec<_>>() {
            self.drop_tail(&secret);
        }
    }

    /// Drops a tail, and with its queue whoever watches by it.
    fn drop_tail(&mut self, secret: &str) {
        let Some(tail) = self.tails.remove(secret) else { return };
        if let Some(secrets) = self.of.get_mut(&tail.key) {
            secrets.retain(|known| known != secret);
            if secrets.is_empty() {
                self.of.remove(&tail.key);
            }
        }
    }
}

/// An event as it is sent.
fn message(event: &TailEvent) -> Message {
    // Our shapes have text keys and finite numbers: writing them does not fail.
    serde_json::to_string(event).unwrap_or_default().into()
}

/// Names the deployment, and takes out what is between the server and the process.
fn tidied(key: &DeploymentKey, mut event: TailEvent) -> TailEvent {
    event.script_name = Some(format!("pages-worker--{}-{}", key.project, key.deployment));
    event.id = 0;
    if let Some(headers) = event.event.pointer_mut("/request/headers").and_then(Value::as_object_mut) {
        headers.remove(HEADER);
    }
    event
}

fn random_hex<const N: usize>() -> String {
    rand::random::<[u8; N]>().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
