//! Who gives way to whom when there are not enough CPUs.
//!
//! A process that computes much gives way to all others: it gets the CPU time that they leave over, and so they have theirs
//! at once, whatever it does. Where they leave it next to nothing, it has a small share for a while, which is longer
//! each time: what else the machine does may well go on for hours, and a Function shall not stand still for it again
//! and again. A small one, since it may well be this server who leaves nothing, by doing what that Function asks for. The
//! schedulers of operating systems know both, as a feedback queue and its boost.

use std::time::{Duration, Instant};

use offprint_sandbox::{Claim, CpuTime};

use super::process::Process;

/// One that uses this part of a CPU computes much. Whoever only answers now and then stays far below.
const HEAVY_PERCENT: u32 = 10;
/// One that gives way starves when it has less than one of so many parts of its due.
const STARVED_PARTS: u32 = 8;
/// For how long one that has starved has a small share, at first and at the most.
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
    /// Until when it has a small share because it has starved.
    spared: Option<Instant>,
    /// How long that was.
    pause: Duration,
}

impl Load {
    /// Whether it wants this part of a CPU.
    pub(super) fn wants(self, percent: u32) -> bool {
        self.cpu.wanted() >= self.passed * percent / 100
    }

    /// Whether it computes much. Who has to wait for the CPU would have liked to; only of one that has less than its share
    /// that says anything, for it waits because of that.
    fn is_heavy(self, claim: Claim) -> bool {
        let cpu = if claim == Claim::Whole { self.cpu.used } else { self.cpu.wanted() };
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
        let claim = self.watched().turn.next(self.share.claim(), load, crowd, Instant::now());
        self.share.set(claim);
    }
}

impl Turn {
    /// What it gets until the next look; `claim`: what it got until now.
    fn next(&mut self, claim: Claim, load: Load, crowd: Crowd, now: Instant) -> Claim {
        if claim == Claim::Leftovers {
            if load.starves(crowd) {
                self.pause = (2 * self.pause).clamp(SPARED[0], SPARED[1]);
                self.spared = Some(now + self.pause);
            } else {
                *self = Self::default();
            }
        }
        match load.is_heavy(claim) {
            false => Claim::Whole,
            true if self.spared.is_some_and(|until| until > now) => Claim::Tenth,
            true => Claim::Leftovers,
        }
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
        let heavy = |claim| [load(99, 0), load(99, 800), load(100, 0)].map(|load| load.is_heavy(claim));
        assert_eq!(heavy(Claim::Whole), [false, false, true]);
        assert_eq!([heavy(Claim::Tenth), heavy(Claim::Leftovers)], [[false, true, true]; 2]);
    }

    #[test]
    fn who_computes_much_gives_way_and_is_spared_longer_each_time_that_it_starves() {
        use Claim::{Leftovers, Tenth, Whole};
        let (start, mut turn) = (Instant::now(), Turn::default());
        let (light, heavy, starved) = (load(99, 0), load(500, 300), load(50, 900));
        // At which second, what it had until then, what it did, and what it gets.
        for (second, claim, load, next) in [
            (0, Whole, light, Whole),
            (1, Whole, heavy, Leftovers),
            (2, Leftovers, heavy, Leftovers),
            (3, Leftovers, starved, Tenth),
            (4, Tenth, starved, Tenth),
            (5, Tenth, heavy, Leftovers),
            (6, Leftovers, starved, Tenth),
            (9, Tenth, heavy, Tenth),
            (10, Tenth, heavy, Leftovers),
            // Once it does not starve, that is forgotten.
            (11, Leftovers, heavy, Leftovers),
            (12, Leftovers, starved, Tenth),
            (13, Tenth, heavy, Tenth),
            (14, Tenth, heavy, Leftovers),
            (15, Leftovers, light, Whole),
        ] {
            let found = turn.next(claim, load, ALONE, start + Duration::from_secs(second));
            assert_eq!(found, next, "after {second} seconds");
        }
    }
}
