//! Tells a process that computes without a pause from one that waits, and a busy one from one that is not.
//!
//! Nothing in workerd bounds CPU time. A process that is caught in a loop always wants the CPU, answers nobody and sends
//! nothing through any of its sockets; one that waits for something wants none.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::process::Process;

/// Who wants the CPU for this part of the time, in percent, and does nothing else, is caught in a loop.
const SPINNING_PERCENT: u32 = 50;
/// A process that wants it for this part could use another beside it.
const BUSY_PERCENT: u32 = 70;
/// Requests that a busy process answers at once before another is started.
const BUSY_REQUESTS: usize = 8;

/// What was seen of a process when it was last looked at.
#[derive(Debug, Default)]
pub(super) struct Watched {
    last: Option<Look>,
    /// Since when it has had nothing to do, and how much it had done by then.
    idle: Option<(Instant, u64)>,
    /// For how long it has computed without a pause.
    blocked: Duration,
    /// For how long it has been busy.
    busy: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    wanted: Duration,
    progress: u64,
}

/// What a look at a process tells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// For how long it has computed without a pause, while somebody waits for an answer.
    pub(super) blocked: Duration,
    /// For how long it has had as much to do as it can.
    pub(super) busy: Duration,
    /// For how long it has had nothing to do.
    pub(super) idle: Duration,
}

impl Process {
    /// Looks at it. Costs nothing while nobody waits for it.
    pub(super) fn look(&self) -> Seen {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        if in_flight == 0 {
            return watched.rested(self.progress.so_far());
        }
        let now = Look {
            at: Instant::now(),
            wanted: self.meter.wanted_cpu_time(),
            progress: self.progress.so_far(),
        };
        let is_waited_for = self.waiting.load(Ordering::Relaxed) > 0;
        watched.turn(now, is_waited_for, in_flight)
    }
}

impl Watched {
    fn rested(&mut self, progress: u64) -> Seen {
        let before = self.idle.filter(|(_, done)| *done == progress);
        let since = before.map_or_else(Instant::now, |(since, _)| since);
        *self = Self { idle: Some((since, progress)), ..Self::default() };
        Seen { idle: since.elapsed(), ..Seen::default() }
    }

    fn turn(&mut self, now: Look, is_waited_for: bool, in_flight: usize) -> Seen {
        if let Some(last) = self.last.replace(now) {
            let passed = now.at.saturating_duration_since(last.at);
            let wanted = now.wanted.saturating_sub(last.wanted);
            let wants = |percent: u32| wanted >= passed * percent / 100;
            let is_spinning = is_waited_for && now.progress == last.progress && wants(SPINNING_PERCENT);
            self.blocked = if is_spinning { self.blocked + passed } else { Duration::ZERO };
            let is_busy = in_flight >= BUSY_REQUESTS && wants(BUSY_PERCENT);
            self.busy = if is_busy { self.busy + passed } else { Duration::ZERO };
        }
        self.idle = None;
        Seen { blocked: self.blocked, busy: self.busy, idle: Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(steps: &[(u64, u64)]) -> Seen {
        let (start, mut watched) = (Instant::now(), Watched::default());
        let mut seen = Seen::default();
        for (second, (cpu, progress)) in steps.iter().enumerate() {
            let at = start + Duration::from_secs(second as u64);
            let look = Look { at, wanted: Duration::from_millis(*cpu), progress: *progress };
            seen = watched.turn(look, true, BUSY_REQUESTS);
        }
        seen
    }

    #[test]
    fn a_loop_is_told_from_waiting_and_from_work() {
        assert_eq!(looks(&[(0, 5), (1000, 5), (1900, 5)]).blocked, Duration::from_secs(2));
        // It waits.
        assert_eq!(looks(&[(0, 5), (3, 5), (6, 5)]).blocked, Duration::ZERO);
        // It works, and others get their answers meanwhile.
        assert_eq!(looks(&[(0, 5), (1000, 9), (2000, 12)]).blocked, Duration::ZERO);
        assert_eq!(looks(&[(0, 5), (1000, 5), (2000, 6), (3000, 6)]).blocked, Duration::from_secs(1));
    }

    #[test]
    fn a_process_that_has_all_it_can_do_is_busy() {
        assert_eq!(looks(&[(0, 5), (900, 9), (1800, 12)]).busy, Duration::from_secs(2));
        assert_eq!(looks(&[(0, 5), (900, 9), (1200, 12)]).busy, Duration::ZERO);
    }
}
