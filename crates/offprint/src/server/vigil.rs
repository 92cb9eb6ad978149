//! What ends a connection of HTTP/1.1 from outside: that nothing happens on it, and that the server stops.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;

use tokio_util::sync::WaitForCancellationFuture;

use super::activity::{Activity, Watch};
use super::listener::IDLE_TIMEOUT;
use super::stop::{Ear, Stop};

/// Kept beside a connection, whoever answers on it. The task must have one waker from beginning to end.
pub(super) struct Vigil<'p, 's> {
    activity: Arc<Activity>,
    watch: Watch,
    ear: Ear<'s>,
    told: Pin<&'p mut WaitForCancellationFuture<'s>>,
}

impl<'p, 's> Vigil<'p, 's> {
    /// A vigil from now on; `told` is of the same [`Stop`].
    pub(super) fn new(stop: &'s Stop, told: Pin<&'p mut WaitForCancellationFuture<'s>>) -> Self {
        let activity = Arc::new(Activity::default());
        Self { watch: Watch::new(Arc::clone(&activity), IDLE_TIMEOUT), activity, ear: stop.ear(), told }
    }

    /// What happens on the connection.
    pub(super) const fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// Something has happened.
    pub(super) fn step(&self) {
        self.activity.step();
    }

    /// Whether the client was waited for long enough; if not, the task will be woken.
    pub(super) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.watch.is_over(cx)
    }

    /// Whether the server stops; if not, the task will be woken.
    pub(super) fn is_told_to_stop(&mut self, cx: &mut Context<'_>) -> bool {
        self.ear.hears(self.told.as_mut(), cx)
    }
}
