//! What a forge reads back. It only looks at the status; people look at the rest, in the forge's list of deliveries.

use std::borrow::Cow;

use offprint_model::deployment::SkipReason;
use offprint_model::id::DeploymentId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PullRequest;

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ForgeAnswer")]
pub struct Answer {
    /// The deployment that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why that deployment is not built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<Cow<'static, str>>,
    /// The number of the pull request that was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<u64>,
    /// What has to happen before the pull request is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Cow<'static, str>>,
    /// Why nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignored: Option<Cow<'static, str>>,
}

impl Answer {
    /// A deployment was made.
    pub fn deployed(id: &DeploymentId, skipped: Option<SkipReason>) -> Self {
        let skip_reason = skipped.map(|reason| Cow::Borrowed(reason.as_str()));
        Self { id: Some(id.to_string()), skip_reason, ..Self::default() }
    }

    /// A pull request was noted.
    pub fn noted(pull_request: &PullRequest) -> Self {
        let waits = pull_request.fork && pull_request.open;
        let waits_for = waits.then_some(Cow::Borrowed("approval"));
        Self { pull_request: Some(pull_request.number), waits_for, ..Self::default() }
    }

    /// Nothing was done.
    pub fn ignored(why: impl Into<Cow<'static, str>>) -> Self {
        Self { ignored: Some(why.into()), ..Self::default() }
    }
}
