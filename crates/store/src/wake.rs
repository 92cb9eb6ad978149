//! The poke: "there may be something new". It carries no data; whoever hears it compares what is with what
//! should be. A lost poke costs a timer tick, never a wrong answer.

use tokio::sync::{Mutex, watch};

/// The handle by which the rooms of the house wake one another.
///
/// Every clone hears every poke that comes after it was made, pokes in a row being heard as one. Make the
/// clone first, then read the store, then wait: nothing is missed between.
#[derive(Default)]
pub struct Wake {
    pipeline: Bell,
    edge: Bell,
    feedback: Bell,
}

impl Clone for Wake {
    fn clone(&self) -> Self {
        Self { pipeline: self.pipeline.listen(), edge: self.edge.listen(), feedback: self.feedback.listen() }
    }
}

impl Wake {
    /// There may be a job.
    pub fn pipeline(&self) {
        self.pipeline.ring();
    }

    /// Routes may have changed.
    pub fn edge(&self) {
        self.edge.ring();
    }

    /// There may be something to tell a forge.
    pub fn feedback(&self) {
        self.feedback.ring();
    }

    /// Waits for the next [`Wake::pipeline`] that this clone has not heard. Cancel-safe.
    pub async fn pipeline_woken(&self) {
        self.pipeline.heard().await;
    }

    /// Waits for the next [`Wake::edge`] that this clone has not heard. Cancel-safe.
    pub async fn edge_woken(&self) {
        self.edge.heard().await;
    }

    /// Waits for the next [`Wake::feedback`] that this clone has not heard. Cancel-safe.
    pub async fn feedback_woken(&self) {
        self.feedback.heard().await;
    }
}

struct Bell {
    ring: watch::Sender<()>,
    heard: Mutex<watch::Receiver<()>>,
}

impl Default for Bell {
    fn default() -> Self {
        let (ring, heard) = watch::channel(());
        Self { ring, heard: Mutex::new(heard) }
    }
}

impl Bell {
    fn listen(&self) -> Self {
        Self { ring: self.ring.clone(), heard: Mutex::new(self.ring.subscribe()) }
    }

    fn ring(&self) {
        self.ring.send_replace(());
    }

    async fn heard(&self) {
        // The only error is that every sender is gone, and this handle is one.
        let _ = self.heard.lock().await.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn every_clone_hears_pokes_and_hears_them_once() {
        let wake = Wake::default();
        let (one, two) = (wake.clone(), wake.clone());
        wake.pipeline();
        wake.pipeline();
        one.pipeline_woken().await;
        two.pipeline_woken().await;
        let patience = Duration::from_millis(5);
        let later = wake.clone();
        assert!(tokio::time::timeout(patience, one.pipeline_woken()).await.is_err());
        assert!(tokio::time::timeout(patience, later.pipeline_woken()).await.is_err());
        assert!(tokio::time::timeout(patience, two.edge_woken()).await.is_err());
        assert!(tokio::time::timeout(patience, two.feedback_woken()).await.is_err());
    }
}
