//! The recent failures of every deployment, for whoever asks later.
//!
//! They are in memory: a Function that fails with every request must not be able to write to the store without end.
//! So they outlive the process in which the Function ran, and not the server.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use offprint_wire::tail::TailEvent;
use serde_json::Value;

use crate::key::DeploymentKey;

/// So many events are kept of one deployment.
const EVENTS_OF_DEPLOYMENT: usize = 100;
/// So many bytes of JSON are kept in all. Beyond that the oldest go, whosever they are.
const BYTES_MAX: usize = 32 << 20;
/// An event is cut to about this size.
const EVENT_BYTES_MAX: usize = 32 << 10;
/// A stack trace or a message is cut to this size.
const TEXT_BYTES_MAX: usize = 8 << 10;
/// So many exceptions are kept of one call.
const EXCEPTIONS_OF_EVENT: usize = 10;

/// What is kept.
#[derive(Default)]
pub(super) struct Kept {
    rings: HashMap<DeploymentKey, VecDeque<One>>,
    /// Whose each event is, by the order in which they came.
    order: BTreeMap<u64, DeploymentKey>,
    came: u64,
    bytes: usize,
}

struct One {
    number: u64,
    bytes: usize,
    event: Arc<TailEvent>,
}

impl Kept {
    /// Keeps an event.
    pub(super) fn keep(&mut self, key: &DeploymentKey, event: TailEvent) {
        let (event, bytes) = shortened(event);
        let number = self.came;
        self.came += 1;
        self.bytes += bytes;
        self.order.insert(number, key.clone());
        let ring = self.rings.entry(key.clone()).or_default();
        ring.push_back(One { number, bytes, event: Arc::new(event) });
        if ring.len() > EVENTS_OF_DEPLOYMENT {
            self.drop_oldest_of(&key.clone());
        }
        while self.bytes > BYTES_MAX {
            let Some((_, oldest)) = self.order.first_key_value() else { break };
            self.drop_oldest_of(&oldest.clone());
        }
    }

    /// What is kept of a deployment, newest first: by when the calls began, since a later one may be told of earlier.
    pub(super) fn of(&self, key: &DeploymentKey) -> Vec<Arc<TailEvent>> {
        let ring = self.rings.get(key).into_iter().flatten();
        let mut events: Vec<_> = ring.rev().map(|one| Arc::clone(&one.event)).collect();
        events.sort_by_key(|event| Reverse(event.event_timestamp));
        events
    }

    fn drop_oldest_of(&mut self, key: &DeploymentKey) {
        let Some(ring) = self.rings.get_mut(key) else { return };
        if let Some(one) = ring.pop_front() {
            self.order.remove(&one.number);
            self.bytes -= one.bytes;
        }
        if ring.is_empty() {
            self.rings.remove(key);
        }
    }
}

/// Cuts an event until it has a size that can be kept, the oldest logs first, and says which.
fn shortened(mut event: TailEvent) -> (TailEvent, usize) {
    let size = |event: &TailEvent| serde_json::to_vec(event).map_or(0, |json| json.len());
    let mut bytes = size(&event);
    if bytes <= EVENT_BYTES_MAX {
        return (event, bytes);
    }
    event.truncated = true;
    event.exceptions.truncate(EXCEPTIONS_OF_EVENT);
    for exception in &mut event.exceptions {
        if let Value::String(message) = &mut exception.message {
            cut(message);
        }
        if let Some(stack) = &mut exception.stack {
            cut(stack);
        }
        cut(&mut exception.name);
    }
    while size(&event) > EVENT_BYTES_MAX && !event.logs.is_empty() {
        event.logs.drain(..event.logs.len().div_ceil(2));
    }
    bytes = size(&event);
    if bytes > EVENT_BYTES_MAX {
        // A long address, long headers, a message that is no text: what was thrown is worth more.
        event.event = Value::Null;
        event.exceptions.retain(|exception| exception.message.is_string());
        bytes = size(&event);
    }
    (event, bytes)
}

fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::name::ProjectName;
    use offprint_store::ShortId;
    use offprint_wire::tail::{Exception, Log};

    fn key(n: u32) -> DeploymentKey {
        DeploymentKey { project: ProjectName::parse("demo").unwrap(), deployment: ShortId(n) }
    }

    fn event(at: i64, text: &str) -> TailEvent {
        let exception = Exception { name: "Error".into(), message: text.into(), stack: None, timestamp: at };
        TailEvent {
            outcome: "exception".into(),
            exceptions: vec![exception],
            event_timestamp: at,
            ..TailEvent::default()
        }
    }

    fn times(kept: &Kept, key: &DeploymentKey) -> Vec<i64> {
        kept.of(key).iter().map(|event| event.event_timestamp).collect()
    }

    #[test]
    fn the_newest_of_each_deployment_are_kept() {
        let mut kept = Kept::default();
        for at in 0..250 {
            kept.keep(&key(1), event(at, "x"));
        }
        kept.keep(&key(2), event(7, "x"));
        assert_eq!(times(&kept, &key(1)), (150..250).rev().collect::<Vec<_>>());
        assert_eq!(times(&kept, &key(2)), [7]);
        assert_eq!(times(&kept, &key(3)), [0; 0]);
    }

    #[test]
    fn calls_are_in_the_order_in_which_they_began() {
        let mut kept = Kept::default();
        for at in [2, 1, 3] {
            kept.keep(&key(1), event(at, "x"));
        }
        assert_eq!(times(&kept, &key(1)), [3, 2, 1]);
    }

    #[test]
    fn many_deployments_together_stay_below_the_bound() {
        let (mut kept, text) = (Kept::default(), "x".repeat(7_000));
        for n in 0..100_u32 {
            for at in 0..100 {
                kept.keep(&key(n), event(at, &text));
            }
        }
        let counted: usize = kept.rings.values().flatten().map(|one| one.bytes).sum();
        assert_eq!(counted, kept.bytes);
        assert!(kept.bytes <= BYTES_MAX && kept.bytes > BYTES_MAX - 10_000, "{}", kept.bytes);
        assert_eq!(times(&kept, &key(99)).len(), 100);
        assert!(kept.of(&key(0)).is_empty() && !kept.rings.contains_key(&key(0)));
        assert_eq!(kept.order.len(), kept.rings.values().map(VecDeque::len).sum::<usize>());
    }

    #[test]
    fn a_long_event_loses_its_oldest_logs_and_keeps_what_was_thrown() {
        let log = |n: i64| Log { message: vec!["x".repeat(1000).into()], level: "log".into(), timestamp: n };
        let mut long = event(1, "the reason");
        long.logs = (0..200).map(log).collect();
        long.exceptions[0].stack = Some("é".repeat(100_000));
        let (short, bytes) = shortened(long);
        assert!(bytes <= EVENT_BYTES_MAX && short.truncated, "{bytes}");
        assert_eq!(short.exceptions[0].message, "the reason");
        assert_eq!(short.logs.last().unwrap().timestamp, 199);
        let mut strange = event(1, "the reason");
        strange.event = serde_json::json!({ "request": { "url": "x".repeat(100_000) } });
        let (short, bytes) = shortened(strange);
        assert!(bytes < EVENT_BYTES_MAX && short.event.is_null() && short.exceptions.len() == 1);
    }
}
