//! Who gives way to whom when there are not enough CPUs.
//!
//! A process that computes much gives way to all others: it gets the CPU time that they leave over, and so they have theirs
//! at once, whatever it does. Where they leave it next to nothing, it has its share again for a while, which is longer
//! each time: what else the machine does may well go on for hours, and a Function shall not stand still for it again
//! and again. The schedulers of operating systems know both, as a feedback queue and its boost.

use std::time::{Duration, Instant};

use offprint_sandbox::CpuTime;

use super::process::Process;

/// One that uses this part of a CPU computes much. Whoever only answers now and then stays far below.
const HEAVY_PERCENT: u32 = 10;
/// One that gives way starves when it has less than one of so many parts of its due.
const STARVED_PARTS: u32 = 8;
/// For how long one that has starved has its share, at first and at the most.
const SPARED: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(60)];

/// CPU time between two looks at a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) passed: Duration,
    pub(super) cpu: CpuTime,
}

/// Those that share the CPU time which is left over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd {
    pub(super) cpus: u32,
    /// How many processes give way.
    pub(super) processes: u32,
}

/// What is remembered of one process.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Until when it has its share because it has starved.
    spared: Option<Instant>,
    /// How long that was.
    pause: Duration,
}

impl Load {
    /// Whether it wants this part of a CPU.
    pub(super) fn wants(self, percent: u32) -> bool {
        self.cpu.wanted() >= self.passed * percent / 100
    }

    /// Whether it computes much. Who has to wait for the CPU would have liked to; only of one that gives way that says
    /// anything, for it waits because of that.
    fn is_heavy(self, gives_way: bool) -> bool {
        let cpu = if gives_way { self.cpu.wanted() } else { self.cpu.used };
        cpu >= self.passed * HEAVY_PERCENT / 100
    }

    /// Whether it had much less than its due.
    fn starves(self, crowd: Crowd) -> bool {
        let due = self.cpu.wanted().min(self.passed * crowd.cpus / crowd.processes.max(1));
        self.cpu.used < due / STARVED_PARTS
    }
}

impl Process {
    /// Gives way from now on, or does not.
    pub(super) fn take_turn(&self, load: Load, crowd: Crowd) {
        let gives_way = self.watched().turn.next(self.share.gives_way(), load, crowd, Instant::now());
        self.share.give_way(gives_way);
    }
}

impl Turn {
    /// Whether it gives way until the next look; `gives_way`: whether it has until now.
    fn next(&mut self, gives_way: bool, load: Load, crowd: Crowd, now: Instant) -> bool {
        if gives_way && load.starves(crowd) {
            self.pause = (2 * self.pause).clamp(SPARED[0], SPARED[1]);
            self.spared = Some(now + self.pause);
        } else if gives_way {
            *self = Self::default();
        }
        load.is_heavy(gives_way) && self.spared.is_none_or(|until| until <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Crowd = Crowd { cpus: 1, processes: 1 };

    /// A second, in milliseconds of it.
    fn load(used: u64, waited: u64) -> Load {
        let [used, waited] = [used, waited].map(Duration::from_millis);
        Load { passed: Duration::from_secs(1), cpu: CpuTime { used, waited } }
    }

    #[test]
    fn who_gets_hardly_any_of_its_due_starves() {
        assert!(load(124, 876).starves(ALONE) && !load(125, 875).starves(ALONE));
        assert!(!load(124, 0).starves(ALONE), "it has all it wants");
        let many = Crowd { cpus: 2, processes: 64 };
        assert!(load(3, 997).starves(many) && !load(4, 996).starves(many));
    }

    #[test]
    fn who_only_waits_for_the_cpu_does_not_compute_much() {
        let heavy =
            |gives_way| [load(99, 0), load(99, 800), load(100, 0)].map(|load| load.is_heavy(gives_way));
        assert_eq!([heavy(false), heavy(true)], [[false, false, true], [false, true, true]]);
    }

    #[test]
    fn who_computes_much_gives_way_and_is_spared_longer_each_time_that_it_starves() {
        let (start, mut turn) = (Instant::now(), Turn::default());
        let mut next =
            |second, gives_way, load| turn.next(gives_way, load, ALONE, start + Duration::from_secs(second));
        let (light, heavy, starved) = (load(99, 0), load(500, 300), load(50, 900));
        assert_eq!([next(0, false, light), next(1, false, heavy), next(2, true, heavy)], [false, true, true]);
        assert_eq!(
            [next(3, true, starved), next(4, false, heavy), next(5, false, heavy)],
            [false, false, true]
        );
        assert_eq!(
            [next(6, true, starved), next(9, false, heavy), next(10, false, heavy)],
            [false, false, true]
        );
        // Once it does not starve, that is forgotten.
        assert_eq!([next(11, true, heavy), next(12, true, starved)], [true, false]);
        assert_eq!([next(13, false, heavy), next(14, false, heavy)], [false, true]);
    }
}
