//! A deployment whose Functions run, or could.
//!
//! It is cold until a request comes: then one process is started, however many requests wait for it. It is ready until
//! nobody has asked for a while, somebody else needs the room, or its processes have ended by themselves. One that keeps
//! crashing is left alone for a while that grows.
//!
//! One that has all it can do gets processes that are quiet: most calls go to them, and of what fails only a part is told.
//! Whoever watches sees everything, from processes that tell.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use offprint_sandbox::Claim;
use tokio::sync::OwnedSemaphorePermit;

use super::config::Config;
use super::directory::Directory;
use super::process::{Process, Verdict};
use crate::egress::Allowance;
use crate::key::DeploymentKey;
use crate::plan::Plan;
use crate::tail::Wants;

/// Ends within this time count.
const CRASHES_WITHIN: Duration = Duration::from_secs(60);
/// From this many on, the deployment is left alone.
const CRASHES_MAX: usize = 3;
/// For how long at first; each further crash doubles it.
const BACK_OFF: Duration = Duration::from_secs(5);
/// And at the most.
const BACK_OFF_MAX: Duration = Duration::from_secs(60);
/// For so long after the last one, crashes are remembered.
const REMEMBERED: Duration = Duration::from_secs(120);

/// For so long after its processes had to give way to others, a new one has to from the beginning.
const HEAVY: Duration = Duration::from_secs(10);

/// Of so many calls of a deployment with quiet processes one is made where it is told of.
const TOLD_OF: u64 = 16;

/// The deployment.
pub(super) struct Deployment {
    pub(super) key: DeploymentKey,
    /// Held by whoever starts a process.
    pub(super) starting: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

struct State {
    live: Option<Live>,
    crashes: VecDeque<Instant>,
    last_used: Instant,
    /// When its processes last had to give way.
    heavy: Option<Instant>,
    /// Calls so far.
    entered: u64,
    /// It has been deleted: nothing is started any more.
    is_gone: bool,
}

/// What a deployment has while it runs.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) plan: Arc<Plan>,
    pub(super) config: Arc<Config>,
    pub(super) directory: Arc<Directory>,
    pub(super) allowance: Arc<Allowance>,
    pub(super) processes: Vec<Arc<Process>>,
}

/// A request that a process is answering. Until it is dropped, the process is not idle.
pub(super) struct Flight {
    pub(super) deployment: Arc<Deployment>,
    pub(super) process: Arc<Process>,
    pub(super) plan: Arc<Plan>,
    /// The project's room for a request.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Deployment {
    pub(super) fn new(key: DeploymentKey) -> Self {
        let last_used = Instant::now();
        let (live, crashes) = (None, VecDeque::new());
        let state = State { live, crashes, last_used, heavy: None, entered: 0, is_gone: false };
        Self { key, starting: tokio::sync::Mutex::default(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request in, if there is a process for it: of the right kind, the one that has the least to do.
    pub(super) fn enter(self: &Arc<Self>, wants: Wants) -> Option<Flight> {
        let mut state = self.state();
        state.last_used = Instant::now();
        state.entered += 1;
        let is_watched = wants == Wants::Everything;
        let is_quiet = !is_watched && !state.entered.is_multiple_of(TOLD_OF);
        let live = state.live.as_ref()?;
        let usable = live.staying().filter(|process| process.verdict().is_none());
        let load = |process: &Arc<Process>| process.in_flight.load(Ordering::Relaxed);
        let process = usable.min_by_key(|process| (process.is_quiet != is_quiet, load(process)))?;
        (!is_watched || !process.is_quiet).then(|| self.flight(process, &live.plan))
    }

    fn flight(self: &Arc<Self>, process: &Arc<Process>, plan: &Arc<Plan>) -> Flight {
        process.in_flight.fetch_add(1, Ordering::Relaxed);
        Flight {
            deployment: Arc::clone(self),
            process: Arc::clone(process),
            plan: Arc::clone(plan),
            _permit: None,
        }
    }

    /// Adds a process that has just started, with its first request in it: so nobody finds it idle before. `None` when
    /// the deployment was deleted meanwhile.
    pub(super) fn add(self: &Arc<Self>, mut live: Live, process: &Arc<Process>) -> Option<Flight> {
        let mut state = self.state();
        if state.is_gone {
            return None;
        }
        if state.heavy.is_some_and(|last| last.elapsed() < HEAVY) {
            process.share.set(Claim::Leftovers);
        }
        let flight = self.flight(process, &live.plan);
        match &mut state.live {
            Some(live) => live.processes.push(Arc::clone(process)),
            None => {
                live.processes = vec![Arc::clone(process)];
                state.live = Some(live);
            }
        }
        Some(flight)
    }

    /// What it has, when it runs.
    pub(super) fn live(&self) -> Option<Live> {
        self.state().live.clone()
    }

    /// When a request last came or went; `None` while one is under way, and when nothing runs.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        let live = state.live.as_ref()?;
        is_idle(live).then_some(state.last_used)
    }

    /// Asks its processes to end, if it is idle, and gives them back.
    pub(super) fn stop_if_idle(&self) -> Option<Vec<Arc<Process>>> {
        let live = self.state().live.take_if(|live| is_idle(live))?;
        live.processes.iter().for_each(|process| process.drain());
        Some(live.processes)
    }

    /// Takes everything that runs out, to be ended.
    pub(super) fn take(&self) -> Vec<Arc<Process>> {
        self.state().live.take().map(|live| live.processes).unwrap_or_default()
    }

    /// It has been deleted.
    pub(super) fn delete(&self) {
        self.state().is_gone = true;
    }

    /// Whether it has been deleted.
    pub(super) fn is_deleted(&self) -> bool {
        self.state().is_gone
    }

    /// Ends one of several processes, unless it has something to do right now.
    pub(super) fn shed(&self, process: &Arc<Process>) {
        let mut state = self.state();
        let Some(live) = state.live.as_mut().filter(|live| live.staying().count() > 1) else { return };
        if process.in_flight.load(Ordering::Relaxed) == 0 {
            live.processes.retain(|other| !Arc::ptr_eq(other, process));
            process.drain();
        }
    }

    /// Sends no more requests to one of several processes. As the real service does with an isolate that has used too much
    /// memory (Workers, "Limits").
    pub(super) fn retire(&self, process: &Process) {
        // Nobody comes in meanwhile.
        let state = self.state();
        if state.live.as_ref().is_some_and(|live| live.staying().count() > 1) {
            process.retire();
        }
    }

    /// Its processes have to give way to others.
    pub(super) fn note_heavy(&self) {
        self.state().heavy = Some(Instant::now());
    }

    /// A process has ended, perhaps because of something in the deployment. Who hears it first says so: before a visitor
    /// learns of a crash it counts, and so for the next one.
    pub(super) fn process_ended(&self, process: &Arc<Process>) {
        let mut state = self.state();
        let Some(live) = &mut state.live else { return };
        let Some(at) = live.processes.iter().position(|other| Arc::ptr_eq(other, process)) else { return };
        live.processes.remove(at);
        if live.processes.is_empty() {
            state.live = None;
        }
        if process.verdict() != Some(Verdict::Stopped) {
            state.note_crash();
        }
    }

    /// Functions did not start.
    pub(super) fn did_not_start(&self) {
        self.state().note_crash();
    }

    /// How long the deployment is left alone from now; `None`: it may be started.
    pub(super) fn backs_off(&self) -> Option<Duration> {
        let state = self.state();
        let last = *state.crashes.back()?;
        let over = state.crashes.len().checked_sub(CRASHES_MAX)?;
        let pause =
            (BACK_OFF * 2_u32.saturating_pow(u32::try_from(over).unwrap_or(u32::MAX))).min(BACK_OFF_MAX);
        pause.checked_sub(last.elapsed()).filter(|left| !left.is_zero())
    }

    /// Whether there is nothing to be remembered of it.
    pub(super) fn is_forgettable(&self) -> bool {
        let state = self.state();
        state.live.is_none() && state.crashes.back().is_none_or(|last| last.elapsed() > REMEMBERED)
    }
}

impl State {
    fn note_crash(&mut self) {
        let now = Instant::now();
        // While it is left alone for longer and longer, the past must not be forgotten.
        if self.crashes.back().is_some_and(|last| now - *last > REMEMBERED) {
            self.crashes.clear();
        }
        if self.crashes.len() < CRASHES_MAX {
            self.crashes.retain(|at| now - *at <= CRASHES_WITHIN);
        }
        self.crashes.push_back(now);
        // More than these make no difference.
        if self.crashes.len() > 2 * CRASHES_MAX {
            self.crashes.pop_front();
        }
    }
}

impl Live {
    /// The processes that requests may go to, now or when they have recovered: those that are not being replaced.
    pub(super) fn staying(&self) -> impl Iterator<Item = &Arc<Process>> {
        self.processes.iter().filter(|process| process.retired_since().is_none())
    }
}

fn is_idle(live: &Live) -> bool {
    live.processes.iter().all(|process| process.in_flight.load(Ordering::Relaxed) == 0)
}

impl Flight {
    /// Keeps the project's room for a request for as long as this lasts.
    pub(super) fn holding(mut self, permit: OwnedSemaphorePermit) -> Self {
        self._permit = Some(permit);
        self
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut state = self.deployment.state();
        state.last_used = Instant::now();
        self.process.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::name::ProjectName;
    use offprint_store::ShortId;

    #[test]
    fn a_deployment_that_keeps_crashing_is_left_alone() {
        let project = ProjectName::parse("p").unwrap();
        let deployment = Deployment::new(DeploymentKey { project, deployment: ShortId(1) });
        let crash = || {
            deployment.did_not_start();
            deployment.backs_off().map(|pause| pause.as_secs_f64().round())
        };
        let pauses: Vec<_> = (0..8).map(|_| crash()).collect();
        let seconds = |number: u32| Some(f64::from(number));
        assert_eq!(pauses[..4], [None, None, seconds(5), seconds(10)]);
        assert_eq!(pauses[7], seconds(40));
        assert!(!deployment.is_forgettable());
    }
}
