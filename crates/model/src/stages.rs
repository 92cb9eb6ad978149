//! The five stages of a deployment and the legal steps between their states.

use crate::time::Timestamp;

/// One of the five stages, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StageName {
    /// Waiting for a worker.
    Queued,
    /// Preparing the sandbox and tools.
    Initialize,
    /// Fetching the source.
    CloneRepo,
    /// Running the build command.
    Build,
    /// Sealing and activating.
    Deploy,
}

impl StageName {
    /// All stages, in order.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Initialize, Self::CloneRepo, Self::Build, Self::Deploy];

    /// The name in both APIs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Initialize => "initialize",
            Self::CloneRepo => "clone_repo",
            Self::Build => "build",
            Self::Deploy => "deploy",
        }
    }
}

/// Where a stage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageStatus {
    /// Not begun, and perhaps never will.
    Idle,
    /// Running.
    Active,
    /// Ended well.
    Success,
    /// Ended badly, by the site's fault or ours.
    Failure,
    /// Stopped by a person.
    Canceled,
    /// Left out on purpose.
    Skipped,
}

impl StageStatus {
    /// The name in both APIs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Active => "active",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
        }
    }

    /// The status with this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Idle, Self::Active, Self::Success, Self::Failure, Self::Canceled, Self::Skipped]
            .into_iter()
            .find(|status| status.as_str() == name)
    }

    const fn is_final(self) -> bool {
        !matches!(self, Self::Idle | Self::Active)
    }
}

/// How an active stage ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageEnd {
    /// It did its work.
    Success,
    /// It could not.
    Failure,
    /// A person stopped it.
    Canceled,
}

/// One stage with its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Where it stands.
    pub status: StageStatus,
    /// When it became active.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

impl Stage {
    const IDLE: Self = Self { status: StageStatus::Idle, started: None, ended: None };
}

/// The stages of one deployment. Stages only go forward: at most one is active, nothing changes once the
/// deployment has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stages([Stage; 5]);

/// A step that the rules do not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stage {} cannot go from {} to {to}", stage.as_str(), from.as_str())]
pub struct IllegalStep {
    /// The stage that was to change.
    pub stage: StageName,
    /// Its status.
    pub from: StageStatus,
    /// What was asked.
    pub to: &'static str,
}

impl Stages {
    /// A new deployment: queued, and the rest idle.
    pub fn queued(now: Timestamp) -> Self {
        let mut stages = [Stage::IDLE; 5];
        stages[0] = Stage { status: StageStatus::Active, started: Some(now), ended: None };
        Self(stages)
    }

    /// A deployment that is not built at all: every stage is left out, and it ends as it begins.
    pub fn skipped(now: Timestamp) -> Self {
        let queued = Stage { status: StageStatus::Skipped, started: Some(now), ended: Some(now) };
        let mut stages = [Stage { status: StageStatus::Skipped, ..Stage::IDLE }; 5];
        stages[0] = queued;
        Self(stages)
    }

    /// Stages as they were stored.
    pub const fn stored(stages: [Stage; 5]) -> Self {
        Self(stages)
    }

    /// The stage of this name.
    pub const fn get(&self, name: StageName) -> Stage {
        self.0[name as usize]
    }

    /// All stages with their names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (StageName, Stage)> + '_ {
        StageName::ALL.into_iter().zip(self.0)
    }

    /// The stage at which the deployment is: the active one, else the one that ended last.
    pub fn current(&self) -> StageName {
        let at = |wanted: fn(StageStatus) -> bool| self.iter().filter(|(_, s)| wanted(s.status)).last();
        at(|status| status == StageStatus::Active)
            .or_else(|| at(StageStatus::is_final))
            .map_or(StageName::Queued, |(name, _)| name)
    }

    /// Whether nothing will change any more.
    pub fn is_terminal(&self) -> bool {
        self.get(StageName::Deploy).status.is_final()
            || self.0.iter().any(|s| matches!(s.status, StageStatus::Failure | StageStatus::Canceled))
    }

    /// Whether the deployment went live in the end.
    pub fn is_success(&self) -> bool {
        self.get(StageName::Deploy).status == StageStatus::Success
    }

    /// Begins an idle stage. Nothing else may be active, and no later stage may have begun.
    ///
    /// # Errors
    /// The step is not one of the legal ones.
    pub fn start(self, name: StageName, now: Timestamp) -> Result<Self, IllegalStep> {
        let busy = self.0.iter().any(|s| s.status == StageStatus::Active);
        let later = self.0[name as usize..].iter().any(|s| s.status != StageStatus::Idle);
        if busy || later || self.is_terminal() {
            return Err(self.refuse(name, "active"));
        }
        Ok(self.with(name, Stage { status: StageStatus::Active, started: Some(now), ended: None }))
    }

    /// Ends the active stage.
    ///
    /// # Errors
    /// The stage is not active.
    pub fn end(self, name: StageName, end: StageEnd, now: Timestamp) -> Result<Self, IllegalStep> {
        let status = match end {
            StageEnd::Success => StageStatus::Success,
            StageEnd::Failure => StageStatus::Failure,
            StageEnd::Canceled => StageStatus::Canceled,
        };
        let stage = self.get(name);
        if stage.status != StageStatus::Active {
            return Err(self.refuse(name, status.as_str()));
        }
        Ok(self.with(name, Stage { status, ended: Some(now), ..stage }))
    }

    /// Leaves out what is left: the active stage and all that have not begun. The deployment has then ended
    /// without success, and by nobody's fault.
    ///
    /// # Errors
    /// The deployment has ended.
    pub fn skip(self, now: Timestamp) -> Result<Self, IllegalStep> {
        if self.is_terminal() {
            return Err(self.refuse(self.current(), StageStatus::Skipped.as_str()));
        }
        Ok(Self(self.0.map(|stage| match stage.status {
            StageStatus::Active => Stage { status: StageStatus::Skipped, ended: Some(now), ..stage },
            StageStatus::Idle => Stage { status: StageStatus::Skipped, ..stage },
            _ => stage,
        })))
    }

    /// Stops the deployment where it is: the active stage, or between two stages the one that comes next.
    ///
    /// # Errors
    /// The deployment has ended.
    pub fn cancel(self, now: Timestamp) -> Result<Self, IllegalStep> {
        if self.is_terminal() {
            return Err(self.refuse(self.current(), StageStatus::Canceled.as_str()));
        }
        let current = self.current();
        if self.get(current).status == StageStatus::Active {
            return self.end(current, StageEnd::Canceled, now);
        }
        // The last stage has not ended, so there is one after the current.
        let next = StageName::ALL.into_iter().find(|name| *name > current).unwrap_or(StageName::Deploy);
        self.start(next, now)?.end(next, StageEnd::Canceled, now)
    }

    fn with(mut self, name: StageName, stage: Stage) -> Self {
        self.0[name as usize] = stage;
        self
    }

    const fn refuse(&self, stage: StageName, to: &'static str) -> IllegalStep {
        IllegalStep { stage, from: self.get(stage).status, to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn shape(stages: &Stages) -> [&'static str; 5] {
        stages.0.map(|s| s.status.as_str())
    }

    /// Walks every state that legal steps reach and checks the promises in each.
    #[test]
    fn every_reachable_state_keeps_the_promises() {
        let mut seen = HashSet::new();
        let mut open = vec![Stages::queued(at(0))];
        while let Some(stages) = open.pop() {
            if !seen.insert(shape(&stages)) {
                continue;
            }
            let active = stages.0.iter().filter(|s| s.status == StageStatus::Active).count();
            assert!(active <= 1, "{stages:?}");
            for name in StageName::ALL {
                let mut next = vec![stages.start(name, at(1)), stages.skip(at(2)), stages.cancel(at(2))];
                for end in [StageEnd::Success, StageEnd::Failure, StageEnd::Canceled] {
                    next.push(stages.end(name, end, at(2)));
                }
                for step in next.into_iter().flatten() {
                    assert!(!stages.is_terminal(), "{stages:?} changed to {step:?}");
                    assert!(step.current() >= stages.current(), "{stages:?} went back to {step:?}");
                    open.push(step);
                }
            }
        }
        assert!(seen.len() > 50, "{} states", seen.len());
    }

    #[test]
    fn a_direct_upload_leaves_the_middle_stages_idle() {
        let stages = Stages::queued(at(1))
            .end(StageName::Queued, StageEnd::Success, at(2))
            .and_then(|s| s.start(StageName::Deploy, at(2)))
            .and_then(|s| s.end(StageName::Deploy, StageEnd::Success, at(3)))
            .unwrap();
        assert_eq!(shape(&stages), ["success", "idle", "idle", "idle", "success"]);
        assert!(stages.is_success() && stages.is_terminal());
        assert_eq!(stages.current(), StageName::Deploy);
    }

    /// In every state that legal steps reach.
    #[test]
    fn what_has_not_ended_can_be_cancelled_and_skipped_and_what_has_can_not() {
        let mut seen = HashSet::new();
        let mut open = vec![Stages::queued(at(0)), Stages::skipped(at(0))];
        while let Some(stages) = open.pop() {
            if !seen.insert(shape(&stages)) {
                continue;
            }
            let (canceled, skipped) = (stages.cancel(at(9)), stages.skip(at(9)));
            if stages.is_terminal() {
                assert!(canceled.is_err() && skipped.is_err(), "{stages:?}");
            } else {
                for (after, status) in
                    [(canceled.unwrap(), StageStatus::Canceled), (skipped.unwrap(), StageStatus::Skipped)]
                {
                    assert!(after.is_terminal() && !after.is_success(), "{after:?}");
                    assert_eq!(after.get(after.current()).status, status, "{after:?}");
                    let kept = stages.iter().zip(after.iter()).filter(|((_, old), _)| old.status.is_final());
                    assert!({ kept }.all(|(old, new)| old == new), "{stages:?} became {after:?}");
                    let times = after.iter().filter(|(_, stage)| stage.ended == Some(at(9))).count();
                    assert!(times <= 1, "{after:?}");
                }
            }
            for name in StageName::ALL {
                open.extend(stages.start(name, at(1)));
                for end in [StageEnd::Success, StageEnd::Failure, StageEnd::Canceled] {
                    open.extend(stages.end(name, end, at(2)));
                }
            }
        }
        assert!(seen.len() > 50, "{} states", seen.len());
    }

    #[test]
    fn a_cancelled_deployment_says_where_it_was() {
        let queued = Stages::queued(at(1));
        assert_eq!(shape(&queued.cancel(at(2)).unwrap()), ["canceled", "idle", "idle", "idle", "idle"]);
        let between = queued.end(StageName::Queued, StageEnd::Success, at(2)).unwrap();
        let canceled = between.cancel(at(3)).unwrap();
        assert_eq!(shape(&canceled), ["success", "canceled", "idle", "idle", "idle"]);
        assert_eq!(canceled.get(StageName::Initialize).started, Some(at(3)));
        let building = between.start(StageName::Build, at(3)).unwrap().cancel(at(4)).unwrap();
        assert_eq!(shape(&building), ["success", "idle", "idle", "canceled", "idle"]);
    }

    #[test]
    fn a_skipped_deployment_has_done_nothing() {
        let skipped = Stages::skipped(at(1));
        assert_eq!(shape(&skipped), ["skipped"; 5]);
        assert!(skipped.is_terminal() && !skipped.is_success());
        assert_eq!(Stages::queued(at(1)).skip(at(1)), Ok(skipped));
        assert_eq!(skipped.get(StageName::Queued).ended, Some(at(1)));
    }

    #[test]
    fn a_refused_step_says_what_was_asked() {
        let step = Stages::queued(at(1)).end(StageName::Deploy, StageEnd::Success, at(2));
        assert_eq!(step.unwrap_err().to_string(), "stage deploy cannot go from idle to success");
    }
}
