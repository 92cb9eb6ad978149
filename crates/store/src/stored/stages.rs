//! The five stages as a JSON column.

use offprint_model::stages::{Stage, StageStatus, Stages};
use offprint_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{from_json, to_json};
use crate::error::{Result, StoreError};

#[derive(Serialize, Deserialize)]
struct Stored {
    stages: [StoredStage; 5],
}

#[derive(Serialize, Deserialize)]
struct StoredStage {
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<i64>,
}

pub(crate) fn stages_to_json(stages: &Stages) -> Result<String> {
    let mut all = stages.iter().map(|(_, stage)| StoredStage {
        status: stage.status.as_str().to_owned(),
        started: stage.started.map(Timestamp::as_micros),
        ended: stage.ended.map(Timestamp::as_micros),
    });
    let idle = || StoredStage { status: StageStatus::Idle.as_str().to_owned(), started: None, ended: None };
    to_json(1, Stored { stages: std::array::from_fn(|_| all.next().unwrap_or_else(idle)) })
}

pub(crate) fn stages_from_json(json: &str) -> Result<Stages> {
    let stored: Stored = from_json(json)?;
    let mut stages = [None; 5];
    for (stage, stored) in stages.iter_mut().zip(stored.stages) {
        *stage = StageStatus::parse(&stored.status).map(|status| Stage {
            status,
            started: stored.started.map(Timestamp::from_micros),
            ended: stored.ended.map(Timestamp::from_micros),
        });
    }
    match stages {
        [Some(a), Some(b), Some(c), Some(d), Some(e)] => Ok(Stages::stored([a, b, c, d, e])),
        _ => Err(StoreError::Corrupt("unknown status of a stage".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::stages::{StageEnd, StageName};

    #[test]
    fn stages_come_back() {
        let at = Timestamp::from_micros;
        let stages = Stages::queued(at(1)).end(StageName::Queued, StageEnd::Failure, at(2)).unwrap();
        let json = stages_to_json(&stages).unwrap();
        assert_eq!(stages_from_json(&json).unwrap(), stages);
        assert!(
            json.starts_with(r#"{"v":1,"stages":[{"status":"failure","started":1,"ended":2},"#),
            "{json}"
        );
        assert!(stages_from_json(&json.replace("failure", "odd")).is_err());
        assert!(stages_from_json(&json.replace("\"v\":1", "\"v\":2")).is_err());
    }
}
