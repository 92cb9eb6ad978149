//! Once in a while: ends what is idle or caught in a loop, gives the busy ones another process, replaces the worn-out ones,
//! and has the heavy ones give way to the others.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Inner;
use super::deployment::{Deployment, Live};
use super::options::FunctionLimits;
use super::process::{Process, Verdict};
use super::turn::Crowd;
use super::watch::Seen;
use crate::tail::Wants;
use offprint_model::config::Environment;
use offprint_sandbox::Claim;

/// How often: so long does it take at the most until who computes much gives way.
const TURN_MAX: Duration = Duration::from_millis(250);
/// A process that has been busy for this long gets another beside it.
const BUSY: Duration = Duration::from_secs(2);

/// One of several that has had little to do for this long ends.
const CALM: Duration = Duration::from_secs(20);

/// For so long requests under way keep a process that is being replaced.
const RETIRING_MAX: Duration = Duration::from_secs(600);

/// So often one is looked at that computes without requests, until it is found to be caught in a loop.
const LOOKS_AT_REST: u32 = 3;

/// Keeps house until the runtime goes.
pub(super) async fn keep(inner: Weak<Inner>, stop: CancellationToken, limits: FunctionLimits) {
    let turn = [TURN_MAX, limits.compute / 4, limits.idle_preview / 2, limits.idle_production / 2]
        .into_iter()
        .min()
        .unwrap_or(TURN_MAX);
    let cpus = available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX));
    while stop.run_until_cancelled(sleep(turn)).await.is_some() {
        let Some(inner) = inner.upgrade() else { return };
        // Looking at processes reads files.
        let looked = tokio::task::spawn_blocking(move || inner.look(cpus)).await;
        if let Ok(busy) = looked {
            busy.into_iter().for_each(|(inner, deployment, live, is_quiet)| {
                tokio::spawn(async move { inner.another(&deployment, live, is_quiet).await });
            });
        }
    }
}

type Busy = (Arc<Inner>, Arc<Deployment>, Live, bool);

/// What a deployment that runs could do with.
enum Wish<'a> {
    Another {
        is_quiet: bool,
    },
    /// Without this one, which has little to do.
    Fewer(&'a Arc<Process>),
    /// Without this one, which is worn out.
    Without(&'a Arc<Process>),
}

/// One that is worn out goes when another can do what it does, or when there is no room for another.
fn relief<'a>(staying: &[(&'a Arc<Process>, Seen)], most: usize) -> Option<Wish<'a>> {
    let (worn, _) = staying.iter().find(|(_, seen)| seen.is_worn)?;
    let can_relieve =
        |(other, seen): &(&Arc<Process>, Seen)| !seen.is_worn && other.is_quiet == worn.is_quiet;
    let is_relieved = staying.iter().any(can_relieve);
    let has_room = staying.len() < most;
    Some(if is_relieved || !has_room {
        Wish::Without(worn)
    } else {
        Wish::Another { is_quiet: worn.is_quiet }
    })
}

/// Those that most requests go to have all they can do, or one has little.
fn wish<'a>(staying: &[(&'a Arc<Process>, Seen)], is_watched: bool) -> Option<Wish<'a>> {
    if !staying.is_empty() && staying.iter().all(|(process, _)| process.is_quiet) {
        return Some(Wish::Another { is_quiet: false });
    }
    let first_telling = staying.iter().position(|(process, _)| !process.is_quiet)?;
    let is_asked_quietly = !is_watched && staying.iter().any(|(process, _)| process.is_quiet);
    let mut asked = staying.iter().filter(|(process, _)| process.is_quiet == is_asked_quietly);
    if asked.all(|(_, seen)| seen.busy >= BUSY) {
        return Some(Wish::Another { is_quiet: !is_watched });
    }
    let mut others = staying.iter().enumerate().filter(|(at, _)| *at != first_telling);
    others.find(|(_, (_, seen))| seen.calm >= CALM).map(|(_, (process, _))| Wish::Fewer(process))
}

impl Inner {
    /// Looks at everything once; gives back which deployments want another process.
    fn look(self: Arc<Self>, cpus: u32) -> Vec<Busy> {
        let all: Vec<_> = self.deployments().values().cloned().collect();
        let all: Vec<_> = all.into_iter().filter_map(|one| Some((one.live()?, one))).collect();
        let processes = all.iter().flat_map(|(live, _)| &live.processes);
        let giving_way = processes.map(|process| u32::from(process.share.claim() == Claim::Leftovers)).sum();
        let crowd = Crowd { cpus, processes: giving_way };
        let mut busy = Vec::new();
        for (live, deployment) in all {
            if self.has_idled(&deployment, &live) {
                deployment.stop_if_idle();
                continue;
            }
            let looked = live.processes.iter().map(|process| (process, self.look_at(process, crowd)));
            let staying: Vec<_> = looked.filter(|(process, _)| process.retired_since().is_none()).collect();
            if live.processes.iter().any(|process| process.share.claim() != Claim::Whole) {
                deployment.note_heavy();
            }
            let is_watched = self.house.tails.wants(&deployment.key) == Wants::Everything;
            let most = self.limits.processes_of_deployment;
            match relief(&staying, most).or_else(|| wish(&staying, is_watched)) {
                Some(Wish::Another { is_quiet }) if staying.len() < most => {
                    busy.push((Arc::clone(&self), deployment, live, is_quiet));
                }
                Some(Wish::Fewer(process)) => deployment.shed(process),
                Some(Wish::Without(process)) => deployment.retire(process),
                Some(Wish::Another { .. }) | None => {}
            }
        }
        self.deployments()
            .retain(|_, deployment| Arc::strong_count(deployment) > 1 || !deployment.is_forgettable());
        self.rooms.tidy();
        busy
    }

    /// Looks at a process: ends it when it is caught in a loop, or has been replaced and has answered, and has it give way
    /// or not.
    fn look_at(&self, process: &Process, crowd: Crowd) -> Seen {
        let seen = process.look(self.limits.compute / LOOKS_AT_REST, self.limits.memory_bytes);
        if seen.blocked >= self.limits.compute {
            process.end(Verdict::Spinning);
        }
        if let Some(since) = process.retired_since() {
            let has_answered = process.in_flight.load(Ordering::Relaxed) == 0;
            if has_answered || since.elapsed() >= RETIRING_MAX {
                process.drain();
            }
        }
        if let Some(load) = seen.load {
            process.take_turn(load, crowd);
        }
        seen
    }

    fn has_idled(&self, deployment: &Deployment, live: &Live) -> bool {
        let most = match live.plan.environment {
            Environment::Production => self.limits.idle_production,
            Environment::Preview => self.limits.idle_preview,
        };
        deployment.idle_since().is_some_and(|since| since.elapsed() >= most)
    }

    /// Another process for a deployment that has much to do, if there is room to spare.
    async fn another(self: Arc<Self>, deployment: &Arc<Deployment>, live: Live, is_quiet: bool) {
        let Ok(_alone) = deployment.starting.try_lock() else { return };
        let Some(room) = self.rooms.spare(&deployment.key.project) else { return };
        if let Err(why) = self.start_process(deployment, live, room, is_quiet).await {
            tracing::debug!(key = %deployment.key, ?why, "no further process");
        }
    }
}
