//! How the stages of a deployment go forward.

use offprint_model::stages::{IllegalStep, StageEnd, StageName, StageStatus, Stages};
use offprint_store::{Clock, Lease, Store, StoreError};

/// Moves the stages of a deployment forward.
pub(super) struct Progress<'a> {
    pub(super) store: &'a Store,
    pub(super) lease: &'a Lease,
    pub(super) stages: Stages,
}

impl Progress<'_> {
    /// Ends the stage before and begins this one, unless an earlier attempt has.
    pub(super) async fn enter(&mut self, name: StageName) -> Result<(), StoreError> {
        let later_begun =
            self.stages.iter().any(|(of, stage)| of >= name && stage.status != StageStatus::Idle);
        if later_begun {
            return Ok(());
        }
        let (current, now) = (self.stages.current(), Clock::now());
        let stages = match self.stages.get(current).status {
            StageStatus::Active => self.stages.end(current, StageEnd::Success, now),
            _ => Ok(self.stages),
        };
        let stages = stages.and_then(|stages| stages.start(name, now)).map_err(illegal)?;
        self.store.set_stages(self.lease, stages).await?;
        self.stages = stages;
        Ok(())
    }
}

/// Ends a deployment in failure where it stands: the active stage, or between two stages the next one.
pub(crate) fn failed(stages: Stages) -> Result<Stages, IllegalStep> {
    let (current, now) = (stages.current(), Clock::now());
    if stages.get(current).status == StageStatus::Active {
        return stages.end(current, StageEnd::Failure, now);
    }
    let next = StageName::ALL.into_iter().find(|name| *name > current).unwrap_or(StageName::Deploy);
    stages.start(next, now)?.end(next, StageEnd::Failure, now)
}

/// A step that the rules forbid means that the stored row is not what we wrote.
pub(crate) fn illegal(step: IllegalStep) -> StoreError {
    StoreError::Corrupt(step.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::time::Timestamp;

    #[test]
    fn a_failure_is_at_the_stage_where_it_happened() {
        let at = Timestamp::from_micros;
        let shape =
            |stages: Stages| stages.iter().map(|(_, stage)| stage.status.as_str()).collect::<Vec<_>>();
        let queued = Stages::queued(at(1));
        assert_eq!(shape(failed(queued).unwrap()), ["failure", "idle", "idle", "idle", "idle"]);
        let between = queued.end(StageName::Queued, StageEnd::Success, at(2)).unwrap();
        assert_eq!(shape(failed(between).unwrap()), ["success", "failure", "idle", "idle", "idle"]);
        let building = between.start(StageName::Build, at(3)).unwrap();
        assert_eq!(shape(failed(building).unwrap()), ["success", "idle", "idle", "failure", "idle"]);
        assert!(failed(failed(building).unwrap()).is_err());
    }
}
