//! One who watches, and the queue in front of him.
//!
//! The queue is bounded in events and in bytes. What finds no room is counted; the watcher is told how many he has
//! missed, in front of what he gets next. Nobody waits for a slow one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use offprint_store::Clock;
use offprint_wire::tail::TailEvent;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::Tails;

/// So many events may wait.
const EVENTS_MAX: usize = 512;
/// So many bytes may wait; one event of any size always may.
const BYTES_MAX: usize = 4 << 20;

/// An event as JSON, for any number of watchers.
pub type Message = Arc<str>;

#[derive(Default)]
struct Load {
    bytes: AtomicUsize,
    missed: AtomicU64,
}

/// The end of a queue at which events come in.
#[derive(Clone)]
pub(super) struct Queue {
    sender: mpsc::Sender<Message>,
    load: Arc<Load>,
}

/// A new queue: where events come in, and where they come out.
pub(super) fn queue() -> (Queue, Waiting) {
    let (sender, receiver) = mpsc::channel(EVENTS_MAX);
    let load = Arc::<Load>::default();
    (Queue { sender, load: Arc::clone(&load) }, Waiting { receiver, load })
}

impl Queue {
    /// Puts an event in, or counts it.
    pub(super) fn push(&self, message: &Message) {
        let before = self.load.bytes.fetch_add(message.len(), Ordering::Relaxed);
        let has_room = before == 0 || before + message.len() <= BYTES_MAX;
        if !has_room || self.sender.try_send(Arc::clone(message)).is_err() {
            self.load.bytes.fetch_sub(message.len(), Ordering::Relaxed);
            self.miss(1);
        }
    }

    /// Counts events that were lost on their way here.
    pub(super) fn miss(&self, events: u64) {
        self.load.missed.fetch_add(events, Ordering::Relaxed);
    }
}

/// The other end.
pub(super) struct Waiting {
    receiver: mpsc::Receiver<Message>,
    load: Arc<Load>,
}

impl Waiting {
    async fn next(&mut self) -> Option<Message> {
        let message = self.receiver.recv().await?;
        self.load.bytes.fetch_sub(message.len(), Ordering::Relaxed);
        Some(message)
    }
}

/// One who watches a deployment. When it is dropped, nobody does.
pub struct Watcher {
    tails: Tails,
    secret: String,
    /// Tells this connection from a later one of the same tail.
    number: u64,
    waiting: Waiting,
    /// What comes after a word about what was missed.
    held: Option<Message>,
    expires: Instant,
}

impl Watcher {
    pub(super) const fn new(
        tails: Tails,
        secret: String,
        number: u64,
        waiting: Waiting,
        expires: Instant,
    ) -> Self {
        Self { tails, secret, number, waiting, held: None, expires }
    }

    /// The next event; `None` when the tail has ended, has expired, or is watched from elsewhere now.
    pub async fn next(&mut self) -> Option<Message> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        let message = timeout_at(self.expires, self.waiting.next()).await.ok()??;
        let missed = self.waiting.load.missed.swap(0, Ordering::Relaxed);
        if missed == 0 {
            return Some(message);
        }
        self.held = Some(message);
        Some(notice(missed))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.tails.leave(&self.secret, self.number);
    }
}

fn notice(missed: u64) -> Message {
    let text = format!("Events come faster than they can be shown: {missed} were left out.");
    let notice = TailEvent::notice("overload", &text, Clock::now().as_micros() / 1000);
    super::message(&notice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(message: &Message) -> usize {
        message.parse().unwrap()
    }

    #[tokio::test]
    async fn a_full_queue_counts_what_it_does_not_take() {
        let (queue, mut waiting) = queue();
        for n in 0..EVENTS_MAX + 10 {
            queue.push(&n.to_string().into());
        }
        assert_eq!(queue.load.missed.load(Ordering::Relaxed), 10);
        for n in 0..EVENTS_MAX {
            assert_eq!(number(&waiting.next().await.unwrap()), n);
        }
        assert_eq!(queue.load.bytes.load(Ordering::Relaxed), 0);
        queue.push(&"7".into());
        assert_eq!(number(&waiting.next().await.unwrap()), 7);
    }

    #[tokio::test]
    async fn bytes_are_bounded_and_one_event_of_any_size_is_taken() {
        let (queue, mut waiting) = queue();
        let large: Message = "x".repeat(BYTES_MAX + 1).into();
        queue.push(&large);
        queue.push(&"y".into());
        assert_eq!(queue.load.missed.load(Ordering::Relaxed), 1);
        assert_eq!(waiting.next().await.unwrap().len(), large.len());
        queue.push(&"y".into());
        assert_eq!(&*waiting.next().await.unwrap(), "y");
    }
}
