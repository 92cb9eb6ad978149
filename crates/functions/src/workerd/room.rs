//! How many may run: of all deployments, and of each project.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use offprint_model::name::ProjectName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::options::FunctionLimits;

/// How often somebody who waits for room asks again for idle ones to go.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// How long one that was asked to go is waited for before another is asked. It may have promised to do something after
/// its last answer, and take all the time that it gets.
const NEXT_ONE: Duration = Duration::from_millis(250);

/// Room for processes and requests.
pub(super) struct Rooms {
    limits: FunctionLimits,
    all: Arc<Semaphore>,
    projects: Mutex<HashMap<ProjectName, Arc<ProjectRoom>>>,
}

/// The room of one project.
pub(super) struct ProjectRoom {
    processes: Arc<Semaphore>,
    /// For requests under way.
    pub(super) requests: Arc<Semaphore>,
}

/// Room for one process, until it is dropped.
pub(super) struct Room {
    _project: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// Whose room ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    Project,
    Server,
}

impl Rooms {
    pub(super) fn new(limits: FunctionLimits) -> Self {
        Self { limits, all: Arc::new(Semaphore::new(limits.processes)), projects: Mutex::default() }
    }

    /// How many processes live.
    pub(super) fn taken(&self) -> usize {
        self.limits.processes - self.all.available_permits()
    }

    /// A project's room.
    pub(super) fn project(&self, name: &ProjectName) -> Arc<ProjectRoom> {
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = projects.get(name) {
            return Arc::clone(room);
        }
        let room = Arc::new(ProjectRoom {
            processes: Arc::new(Semaphore::new(self.limits.processes_of_project)),
            requests: Arc::new(Semaphore::new(self.limits.requests_of_project)),
        });
        projects.insert(name.clone(), Arc::clone(&room));
        room
    }

    /// Forgets projects that use nothing.
    pub(super) fn tidy(&self) {
        let limits = &self.limits;
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        projects.retain(|_, room| {
            Arc::strong_count(room) > 1
                || room.processes.available_permits() < limits.processes_of_project
                || room.requests.available_permits() < limits.requests_of_project
        });
    }

    /// Room for a process, made when need be: `evict` asks an idle one to end, of this project or of any, and tells when
    /// that has happened; `None` when all have something to do. It is waited for `until` then.
    pub(super) async fn make(
        &self,
        project: &ProjectName,
        until: Instant,
        evict: impl Fn(Full) -> Option<BoxFuture<'static, ()>>,
    ) -> Result<Room, Full> {
        let own = Arc::clone(&self.project(project).processes);
        let own = acquire(own, until, || evict(Full::Project)).await.ok_or(Full::Project)?;
        let all = Arc::clone(&self.all);
        let all = acquire(all, until, || evict(Full::Server)).await.ok_or(Full::Server)?;
        Ok(Room { _project: own, _all: all })
    }

    /// Room for a process, if there is some.
    pub(super) fn spare(&self, project: &ProjectName) -> Option<Room> {
        let own = Arc::clone(&self.project(project).processes).try_acquire_owned().ok()?;
        let all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Room { _project: own, _all: all })
    }
}

async fn acquire(
    semaphore: Arc<Semaphore>,
    until: Instant,
    evict: impl Fn() -> Option<BoxFuture<'static, ()>>,
) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = Arc::clone(&semaphore).try_acquire_owned() {
        return Some(permit);
    }
    let acquired = semaphore.acquire_owned();
    tokio::pin!(acquired);
    loop {
        // What has nothing to do now need not have been so a moment ago.
        let freed = evict().unwrap_or_else(|| Box::pin(sleep(ASK_AGAIN)));
        tokio::select! {
            permit = &mut acquired => return permit.ok(),
            () = sleep_until(until) => return None,
            _ = timeout(NEXT_ONE, freed) => {}
        }
        // It is ours, unless somebody has waited for longer.
        if let Some(permit) = (&mut acquired).now_or_never() {
            return permit.ok();
        }
    }
}
