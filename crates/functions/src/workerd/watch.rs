//! Tells a process that computes without a pause from one that waits, and a busy one from one that is not.
//!
//! Nothing in workerd bounds CPU time. A process that is caught in a loop always wants the CPU, answers nobody and sends
//! nothing through any of its sockets; one that waits for something wants none. A loop is one, too, when it begins after
//! the answer, where nobody waits for it.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use offprint_sandbox::CpuTime;

use super::process::Process;
use super::turn::{Load, Turn};

/// Who wants the CPU for this part of the time, in percent, and does nothing else, is caught in a loop.
const SPINNING_PERCENT: u32 = 50;
/// A process that wants it for this part, and answers, could use another beside it. Beside one that is caught in a loop
/// another would soon be caught, too.
const BUSY_PERCENT: u32 = 70;
/// One that wants no more than this could as well leave it to another.
const CALM_PERCENT: u32 = 30;
/// Requests that a busy process answers at once before another is started.
const BUSY_REQUESTS: usize = 8;
/// One that has so much of the memory it may have, in percent, is worn out. V8 is in no hurry to collect what is left of
/// requests, and knows nothing of what workerd keeps for it; what leaks stays for good.
const WORN_PERCENT: u64 = 75;
/// But not before it has run for so long: who needs that much to begin with is not replaced again and again.
const WORN_AFTER: Duration = Duration::from_secs(5);

/// What was seen of a process when it was last looked at.
#[derive(Debug, Default)]
pub(super) struct Watched {
    last: Option<Look>,
    /// Since when it has had little to do.
    calm: Option<Instant>,
    /// For how long it has computed without a pause.
    blocked: Duration,
    /// For how long it has been busy.
    busy: Duration,
    /// What it did between the last two looks.
    load: Option<Load>,
    /// When it was first looked at.
    began: Option<Instant>,
    is_worn: bool,
    pub(super) turn: Turn,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    cpu: CpuTime,
    progress: u64,
}

/// What a look at a process tells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// For how long it has computed without a pause.
    pub(super) blocked: Duration,
    /// For how long it has had as much to do as it can.
    pub(super) busy: Duration,
    /// For how long it has had little to do.
    pub(super) calm: Duration,
    /// What it did since the look before; `None` when that was not looked at.
    pub(super) load: Option<Load>,
    /// It will soon have used up its memory.
    pub(super) is_worn: bool,
}

impl Process {
    pub(super) fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at it. That reads files; so one that has no requests is looked at closely only every `rest`. It may have so
    /// many bytes of memory.
    pub(super) fn look(&self, rest: Duration, memory_max: u64) -> Seen {
        let mut watched = self.watched();
        let (in_flight, progress) = (self.in_flight.load(Ordering::Relaxed), self.progress.so_far());
        let has_rested = |last: Look| in_flight == 0 && last.progress == progress;
        let rests = watched.last.is_some_and(|last| has_rested(last) && last.at.elapsed() < rest);
        if !rests {
            let cpu = self.meter.cpu_time();
            let now = Instant::now();
            watched.turn(Look { at: now, cpu, progress }, in_flight);
            let is_new = now - *watched.began.get_or_insert(now) < WORN_AFTER;
            watched.is_worn = !is_new && self.meter.memory_bytes() >= memory_max / 100 * WORN_PERCENT;
        }
        watched.seen(rests)
    }
}

impl Watched {
    fn turn(&mut self, now: Look, in_flight: usize) {
        let Some(last) = self.last.replace(now) else { return };
        let passed = now.at.saturating_duration_since(last.at);
        let load = Load { passed, cpu: now.cpu.since(last.cpu) };
        let progresses = now.progress != last.progress;
        let is_spinning = !progresses && load.wants(SPINNING_PERCENT);
        self.blocked = if is_spinning { self.blocked + passed } else { Duration::ZERO };
        let is_busy = in_flight >= BUSY_REQUESTS && progresses && load.wants(BUSY_PERCENT);
        self.busy = if is_busy { self.busy + passed } else { Duration::ZERO };
        self.load = Some(load);
    }

    fn seen(&mut self, rests: bool) -> Seen {
        let is_calm = rests || self.load.is_some_and(|load| !load.wants(CALM_PERCENT));
        self.calm = is_calm.then(|| self.calm.unwrap_or_else(Instant::now));
        let calm = self.calm.map_or(Duration::ZERO, |since| since.elapsed());
        let load = self.load.filter(|_| !rests);
        Seen { blocked: self.blocked, busy: self.busy, calm, load, is_worn: self.is_worn }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(steps: &[(u64, u64)]) -> Seen {
        let (start, mut watched) = (Instant::now(), Watched::default());
        for (second, (cpu, progress)) in steps.iter().enumerate() {
            let at = start + Duration::from_secs(second as u64);
            let cpu = CpuTime { used: Duration::from_millis(*cpu), waited: Duration::ZERO };
            let look = Look { at, cpu, progress: *progress };
            watched.turn(look, BUSY_REQUESTS);
        }
        watched.seen(false)
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
        assert_eq!(looks(&[(0, 5), (1000, 5), (2000, 5)]).busy, Duration::ZERO, "it is caught in a loop");
    }
}
