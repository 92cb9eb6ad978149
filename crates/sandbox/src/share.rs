//! A command's share of the CPUs, to be changed while it runs.
//!
//! Weights alone do not keep a busy command out of the way of others: whoever wakes up on its CPU still waits for the rest
//! of a time slice. The kernel's idle class does: whatever else wants the CPU has it at once, and the command gets what
//! is left over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::limiter::Cage;

/// The share of one command. Clones are of the same.
#[derive(Clone, Debug)]
pub struct CpuShare {
    weight: u32,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    gives_way: bool,
    /// What holds the command; gone when it does not run.
    cage: Weak<Cage>,
}

impl CpuShare {
    /// A share of so much while others want the CPUs, too; what runs outside of sandboxes has 100. Without control groups
    /// all have the same.
    pub fn of_weight(weight: u32) -> Self {
        Self { weight, state: Arc::default() }
    }

    /// From now on the command gets only what others leave over, or its share again. Holds also for one that has not
    /// begun.
    pub fn give_way(&self, gives_way: bool) {
        let mut state = self.state();
        if state.gives_way != gives_way {
            state.gives_way = gives_way;
            self.apply(&state);
        }
    }

    /// Whether it gets only what others leave over.
    pub fn gives_way(&self) -> bool {
        self.state().gives_way
    }

    pub(crate) fn begin(&self, cage: &Arc<Cage>) {
        let mut state = self.state();
        state.cage = Arc::downgrade(cage);
        self.apply(&state);
    }

    fn apply(&self, state: &State) {
        if let Some(cage) = state.cage.upgrade() {
            cage.weigh(self.weight, state.gives_way);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
