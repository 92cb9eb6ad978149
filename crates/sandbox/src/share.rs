//! A command's share of the CPUs, to be changed while it runs.
//!
//! Weights alone do not keep a busy command out of the way of others: whoever wakes up on its CPU still waits for the rest
//! of a time slice. The kernel's idle class does: whatever else wants the CPU has it at once, and the command gets what
//! is left over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::limiter::Cage;

/// How much of the CPUs a command gets while others want them, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Claim {
    /// Its share.
    #[default]
    Whole,
    /// A tenth of it: little, but never nothing.
    Tenth,
    /// What others leave over.
    Leftovers,
}

/// The share of one command. Clones are of the same.
#[derive(Clone, Debug)]
pub struct CpuShare {
    weight: u32,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    claim: Claim,
    /// What holds the command; gone when it does not run.
    cage: Weak<Cage>,
}

impl CpuShare {
    /// A share of so much while others want the CPUs, too; what runs outside of sandboxes has 100. Without control groups
    /// all have the same.
    pub fn of_weight(weight: u32) -> Self {
        Self { weight, state: Arc::default() }
    }

    /// Changes what the command gets from now on. Holds also for one that has not begun.
    pub fn set(&self, claim: Claim) {
        let mut state = self.state();
        if state.claim != claim {
            state.claim = claim;
            self.apply(&state);
        }
    }

    /// What it gets.
    pub fn claim(&self) -> Claim {
        self.state().claim
    }

    pub(crate) fn begin(&self, cage: &Arc<Cage>) {
        let mut state = self.state();
        state.cage = Arc::downgrade(cage);
        self.apply(&state);
    }

    fn apply(&self, state: &State) {
        if let Some(cage) = state.cage.upgrade() {
            match state.claim {
                Claim::Whole => cage.weigh(self.weight, false),
                Claim::Tenth => cage.weigh((self.weight / 10).max(1), false),
                Claim::Leftovers => cage.weigh(self.weight, true),
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
