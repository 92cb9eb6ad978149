//! Stages, and which of them is called the latest.

use std::borrow::Cow;

use offprint_model::stages::{Stage as ModelStage, StageName, StageStatus, Stages};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// One stage of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// `queued`, `initialize`, `clone_repo`, `build`, `deploy`.
    #[schemars(extend("enum" = ["queued", "initialize", "clone_repo", "build", "deploy"]))]
    pub name: Cow<'static, str>,
    /// When it began.
    #[serde(default)]
    pub started_on: Option<Time>,
    /// When it ended.
    #[serde(default)]
    pub ended_on: Option<Time>,
    /// `success`, `idle`, `active`, `failure`, `canceled`, `skipped`.
    #[schemars(extend("enum" = ["success", "idle", "active", "failure", "canceled", "skipped"]))]
    pub status: Cow<'static, str>,
}

impl Stage {
    fn new(name: StageName, stage: ModelStage) -> Self {
        Self {
            name: Cow::Borrowed(name.as_str()),
            started_on: stage.started.map(Time),
            ended_on: stage.ended.map(Time),
            status: Cow::Borrowed(stage.status.as_str()),
        }
    }
}

/// All five, in order, as they are.
pub fn all(stages: &Stages) -> Vec<Stage> {
    stages.iter().map(|(name, stage)| Stage::new(name, stage)).collect()
}

/// The latest stage, as polling clients may see it.
///
/// wrangler asks at most five times and stops at the first answer whose latest stage is named `deploy` or
/// has a status of `success` or `failure`. So while the deployment is in progress this is an earlier stage
/// that is active or idle: the one that is active; the next when one has just ended; and `build` while
/// `deploy` runs.
pub fn latest(stages: &Stages) -> Stage {
    let current = stages.current();
    let stage = stages.get(current);
    if stages.is_terminal() {
        return Stage::new(current, stage);
    }
    let active = stage.status == StageStatus::Active;
    let shown = if active { current } else { next(current) };
    if shown == StageName::Deploy {
        let build = stages.get(StageName::Build);
        let started = build.started.or(stage.started);
        return Stage::new(
            StageName::Build,
            ModelStage { status: StageStatus::Active, started, ended: None },
        );
    }
    Stage::new(shown, stages.get(shown))
}

fn next(stage: StageName) -> StageName {
    StageName::ALL.into_iter().find(|candidate| *candidate > stage).unwrap_or(StageName::Deploy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::stages::StageEnd;
    use offprint_model::time::Timestamp;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    /// wrangler's condition to go on polling.
    fn goes_on(stage: &Stage) -> bool {
        stage.name != "deploy" && stage.status != "success" && stage.status != "failure"
    }

    fn check(stages: Stages) {
        let latest = latest(&stages);
        assert_eq!(
            goes_on(&latest),
            !stages.is_terminal() || latest.status == "canceled",
            "{stages:?}: {latest:?}"
        );
    }

    /// Walks a direct upload and a git build, with every way to end, and polls at each step.
    #[test]
    fn polling_goes_on_until_the_end_and_no_longer() {
        for path in [&[StageName::Deploy][..], &StageName::ALL[1..]] {
            let mut stages = Stages::queued(at(1));
            let mut last = StageName::Queued;
            for name in path {
                for end in [StageEnd::Failure, StageEnd::Canceled] {
                    check(stages.end(last, end, at(2)).unwrap());
                }
                check(stages);
                stages = stages.end(last, StageEnd::Success, at(2)).unwrap();
                check(stages);
                stages = stages.start(*name, at(3)).unwrap();
                check(stages);
                last = *name;
            }
            check(stages.end(last, StageEnd::Failure, at(4)).unwrap());
            let done = stages.end(last, StageEnd::Success, at(4)).unwrap();
            assert_eq!((&*latest(&done).name, &*latest(&done).status), ("deploy", "success"));
        }
    }

    #[test]
    fn while_deploy_runs_build_is_shown_as_active() {
        let stages = Stages::queued(at(1))
            .end(StageName::Queued, StageEnd::Success, at(2))
            .and_then(|s| s.start(StageName::Deploy, at(3)))
            .unwrap();
        let shown = latest(&stages);
        assert_eq!((&*shown.name, &*shown.status, shown.started_on), ("build", "active", Some(Time(at(3)))));
        assert_eq!(all(&stages)[4].status, "active", "the list itself tells the truth");
    }
}
