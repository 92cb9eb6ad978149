//! How open connections hear that the server is about to stop.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// Told once, heard by every connection.
///
/// A connection asks after every request, and all of them share this: so it asks a flag, and the lock behind the
/// waking is taken once a connection.
#[derive(Default)]
pub(super) struct Stop {
    is_told: AtomicBool,
    token: CancellationToken,
}

impl Stop {
    /// Tells.
    pub(super) fn tell(&self) {
        // Before the waking: who is woken looks here.
        self.is_told.store(true, Ordering::Release);
        self.token.cancel();
    }

    /// To wait for it.
    pub(super) fn told(&self) -> WaitForCancellationFuture<'_> {
        self.token.cancelled()
    }

    /// To look whether it was told, from a task that does more.
    pub(super) const fn ear(&self) -> Ear<'_> {
        Ear { stop: self, is_listening: false }
    }
}

/// One listener. Its task must have one waker from beginning to end, as every spawned task has.
pub(super) struct Ear<'s> {
    stop: &'s Stop,
    is_listening: bool,
}

impl Ear<'_> {
    /// Whether it was told; if not, the task will be woken. `told` is of the same [`Stop`].
    pub(super) fn hears(
        &mut self,
        told: Pin<&mut WaitForCancellationFuture<'_>>,
        cx: &mut Context<'_>,
    ) -> bool {
        if self.is_listening && !self.stop.is_told.load(Ordering::Acquire) {
            return false;
        }
        self.is_listening = true;
        told.poll(cx).is_ready()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::Poll;

    #[tokio::test]
    async fn whoever_listens_is_woken_once_it_is_told() {
        let stop = Arc::new(Stop::default());
        let listen = |stop: Arc<Stop>| async move {
            let (mut ear, mut told) = (stop.ear(), pin!(stop.told()));
            poll_fn(|cx| if ear.hears(told.as_mut(), cx) { Poll::Ready(()) } else { Poll::Pending }).await;
        };
        let listening: Vec<_> = (0..10).map(|_| tokio::spawn(listen(Arc::clone(&stop)))).collect();
        tokio::task::yield_now().await;
        assert!(!listening.iter().any(|task| task.is_finished()));
        stop.tell();
        for task in listening {
            task.await.unwrap();
        }
        listen(Arc::clone(&stop)).await;
    }
}
