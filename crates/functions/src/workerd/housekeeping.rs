//! Once in a while: ends what is idle or caught in a loop, and gives the busy ones another process.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Inner;
use super::deployment::{Deployment, Live};
use super::options::FunctionLimits;
use super::process::Verdict;
use super::watch::Seen;
use offprint_model::config::Environment;

/// How often at the most.
const TURN_MAX: Duration = Duration::from_secs(1);
/// A process that has been busy for this long gets another beside it.
const BUSY: Duration = Duration::from_secs(2);

/// One of several that has had nothing to do for this long ends.
const SPARE: Duration = Duration::from_secs(10);

/// Keeps house until the runtime goes.
pub(super) async fn keep(inner: Weak<Inner>, stop: CancellationToken, limits: FunctionLimits) {
    let turn = [TURN_MAX, limits.compute / 4, limits.idle_preview / 2, limits.idle_production / 2]
        .into_iter()
        .min()
        .unwrap_or(TURN_MAX);
    while stop.run_until_cancelled(sleep(turn)).await.is_some() {
        let Some(inner) = inner.upgrade() else { return };
        // Looking at processes reads files.
        let looked = tokio::task::spawn_blocking(move || inner.look()).await;
        if let Ok(busy) = looked {
            busy.into_iter().for_each(|(inner, deployment, live)| {
                tokio::spawn(async move { inner.another(&deployment, live).await });
            });
        }
    }
}

type Busy = (Arc<Inner>, Arc<Deployment>, Live);

impl Inner {
    /// Looks at everything once; gives back which deployments want another process.
    fn look(self: Arc<Self>) -> Vec<Busy> {
        let all: Vec<_> = self.deployments().values().cloned().collect();
        let mut busy = Vec::new();
        for deployment in all {
            let Some(live) = deployment.live() else { continue };
            if self.has_idled(&deployment, &live) {
                deployment.stop_if_idle();
                continue;
            }
            let seen: Vec<Seen> = live.processes.iter().map(|process| process.look()).collect();
            for (process, seen) in live.processes.iter().zip(&seen) {
                if seen.blocked >= self.limits.compute {
                    process.end(Verdict::Spinning);
                }
            }
            let all_busy = seen.iter().all(|seen| seen.busy >= BUSY);
            if all_busy && live.processes.len() < self.limits.processes_of_deployment {
                busy.push((Arc::clone(&self), deployment, live));
            } else if let Some(at) = seen.iter().position(|seen| seen.idle >= SPARE)
                && live.processes.len() > 1
            {
                deployment.shed(&live.processes[at]);
            }
        }
        self.deployments()
            .retain(|_, deployment| Arc::strong_count(deployment) > 1 || !deployment.is_forgettable());
        self.rooms.tidy();
        busy
    }

    fn has_idled(&self, deployment: &Deployment, live: &Live) -> bool {
        let most = match live.plan.environment {
            Environment::Production => self.limits.idle_production,
            Environment::Preview => self.limits.idle_preview,
        };
        deployment.idle_since().is_some_and(|since| since.elapsed() >= most)
    }

    /// Another process for a deployment that has much to do, if there is room to spare.
    async fn another(self: Arc<Self>, deployment: &Arc<Deployment>, live: Live) {
        let Ok(_alone) = deployment.starting.try_lock() else { return };
        let Some(room) = self.rooms.spare(&deployment.key.project) else { return };
        if let Err(why) = self.start_process(deployment, live, room).await {
            tracing::debug!(key = %deployment.key, ?why, "no further process");
        }
    }
}
