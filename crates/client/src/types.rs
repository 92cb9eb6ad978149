//! What the API answers, as far as we look at it.
//!
//! Deliberately lenient, and so not the server's own shapes: another implementation may leave a member out
//! or add some. What we do not look at is kept in `other`, so that `--json` shows an answer whole.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Members that we pass on without looking.
pub type Other = Map<String, Value>;

/// A tenant.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The rest.
    #[serde(flatten)]
    pub other: Other,
}

/// The person or machine that a token stands for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct User {
    /// Its id.
    pub id: String,
    /// Its address.
    #[serde(default, deserialize_with = "or_default")]
    pub email: String,
    /// The rest.
    #[serde(flatten)]
    pub other: Other,
}

/// A site.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its own host.
    #[serde(default, deserialize_with = "or_default")]
    pub subdomain: String,
    /// All its hosts.
    #[serde(default, deserialize_with = "or_default")]
    pub domains: Vec<String>,
    /// The branch that goes live on them.
    #[serde(default, deserialize_with = "or_default")]
    pub production_branch: String,
    /// When it was made.
    #[serde(default, deserialize_with = "or_default")]
    pub created_on: String,
    /// The newest deployment of any environment.
    #[serde(default)]
    pub latest_deployment: Option<Box<Deployment>>,
    /// The production deployment that is live.
    #[serde(default)]
    pub canonical_deployment: Option<Box<Deployment>>,
    /// The rest.
    #[serde(flatten)]
    pub other: Other,
}

/// A published version of a project.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// The first eight digits of it.
    #[serde(default, deserialize_with = "or_default")]
    pub short_id: String,
    /// The project.
    #[serde(default, deserialize_with = "or_default")]
    pub project_name: String,
    /// `production` or `preview`.
    #[serde(default, deserialize_with = "or_default")]
    pub environment: String,
    /// Where it answers.
    #[serde(default, deserialize_with = "or_default")]
    pub url: String,
    /// Where else it answers.
    #[serde(default, deserialize_with = "or_default")]
    pub aliases: Vec<String>,
    /// When it was asked for.
    #[serde(default, deserialize_with = "or_default")]
    pub created_on: String,
    /// The stage at which it is.
    #[serde(default, deserialize_with = "or_default")]
    pub latest_stage: Stage,
    /// All five stages.
    #[serde(default, deserialize_with = "or_default")]
    pub stages: Vec<Stage>,
    /// What caused it.
    #[serde(default, deserialize_with = "or_default")]
    pub deployment_trigger: Trigger,
    /// The rest.
    #[serde(flatten)]
    pub other: Other,
}

/// One of the five stages of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Stage {
    /// `queued`, `initialize`, `clone_repo`, `build` or `deploy`.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// `idle`, `active`, `success`, `failure`, `canceled` or `skipped`.
    #[serde(default, deserialize_with = "or_default")]
    pub status: String,
    /// When it began.
    #[serde(default)]
    pub started_on: Option<String>,
    /// When it ended.
    #[serde(default)]
    pub ended_on: Option<String>,
}

/// Where a deployment stands, as far as its latest stage tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not there yet.
    Underway,
    /// Live.
    Live,
    /// It will not go live.
    Ended,
}

impl Deployment {
    /// Reads the latest stage. A stage other than `deploy` that succeeded is on its way still.
    pub fn standing(&self) -> Standing {
        match (self.latest_stage.name.as_str(), self.latest_stage.status.as_str()) {
            ("deploy", "success") => Standing::Live,
            (_, "failure" | "canceled") | ("deploy", "skipped") => Standing::Ended,
            _ => Standing::Underway,
        }
    }

    /// The branch it came from.
    pub fn branch(&self) -> &str {
        &self.deployment_trigger.metadata.branch
    }

    /// The first seven digits of the commit it came from.
    pub fn commit_short(&self) -> &str {
        let hash = &self.deployment_trigger.metadata.commit_hash;
        hash.get(..7).unwrap_or(hash)
    }
}

/// What caused a deployment.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Trigger {
    /// `ad_hoc`, `github:push`, …
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// Where it came from.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: TriggerMetadata,
}

/// Where a deployment came from.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct TriggerMetadata {
    /// The branch.
    #[serde(default, deserialize_with = "or_default")]
    pub branch: String,
    /// The commit, empty when unknown.
    #[serde(default, deserialize_with = "or_default")]
    pub commit_hash: String,
    /// Its message, empty when unknown.
    #[serde(default, deserialize_with = "or_default")]
    pub commit_message: String,
    /// The rest.
    #[serde(flatten)]
    pub other: Other,
}

/// The log of a deployment.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct DeploymentLog {
    /// How many lines there are.
    #[serde(default)]
    pub total: u64,
    /// The lines.
    #[serde(default, deserialize_with = "or_default")]
    pub data: Vec<LogLine>,
    /// The rest.
    #[serde(flatten)]
    pub other: Other,
}

/// A line of a log.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LogLine {
    /// When it was written.
    #[serde(default, deserialize_with = "or_default")]
    pub ts: String,
    /// The text.
    #[serde(default, deserialize_with = "or_default")]
    pub line: String,
}

/// An address that builds a branch when it is called.
#[derive(Clone, Deserialize, Serialize)]
pub struct DeployHook {
    /// Its id, which is the secret part of its address.
    pub id: String,
    /// What it is for.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The branch that it builds.
    #[serde(default, deserialize_with = "or_default")]
    pub branch: String,
    /// When it was made.
    #[serde(default, deserialize_with = "or_default")]
    pub created_on: String,
    /// The whole address.
    #[serde(default, deserialize_with = "or_default")]
    pub url: String,
    /// The rest.
    #[serde(flatten)]
    pub other: Other,
}

/// Where a repository's webhook goes, and which credentials the server has for it.
#[derive(Clone, Deserialize, Serialize)]
pub struct SourceAccess {
    /// The address to enter at the forge.
    #[serde(default, deserialize_with = "or_default")]
    pub webhook_url: String,
    /// The secret of the webhook, in the answer that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<Value>,
    /// The rest.
    #[serde(flatten)]
    pub other: Other,
}

/// A pull request that the server has heard of.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PullRequest {
    /// Its number at the forge.
    pub number: u64,
    /// Its title.
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    /// The branch that it wants to merge.
    #[serde(default, deserialize_with = "or_default")]
    pub branch: String,
    /// The head of that branch.
    #[serde(default, deserialize_with = "or_default")]
    pub commit_hash: String,
    /// The rest.
    #[serde(flatten)]
    pub other: Other,
}

/// An API token. Its secret is shown once, in the answer to its creation.
#[derive(Clone, Deserialize, Serialize)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// `active`, `disabled` or `expired`.
    #[serde(default, deserialize_with = "or_default")]
    pub status: String,
    /// When it was made.
    #[serde(default)]
    pub issued_on: Option<String>,
    /// When it ends.
    #[serde(default)]
    pub expires_on: Option<String>,
    /// When it was last used.
    #[serde(default)]
    pub last_used_on: Option<String>,
    /// What it may do.
    #[serde(default, deserialize_with = "or_default")]
    pub policies: Vec<Value>,
    /// The secret, where it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub other: Other,
}

impl Token {
    /// The names of what it may do.
    pub fn permissions(&self) -> Vec<&str> {
        self.policies
            .iter()
            .filter_map(|policy| policy.get("permission_groups")?.as_array())
            .flatten()
            .filter_map(|group| group.get("name")?.as_str())
            .collect()
    }
}

/// Takes `null` for the default: implementations differ in which members they leave empty.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(name: &str, status: &str) -> Standing {
        let stage = serde_json::json!({"name": name, "status": status});
        let deployment = serde_json::json!({"id": "1", "latest_stage": stage, "aliases": null});
        serde_json::from_value::<Deployment>(deployment).unwrap().standing()
    }

    #[test]
    fn only_the_deploy_stage_makes_a_deployment_live() {
        assert_eq!(standing("deploy", "success"), Standing::Live);
        assert_eq!(standing("build", "success"), Standing::Underway);
        assert_eq!(standing("deploy", "active"), Standing::Underway);
        assert_eq!(standing("clone_repo", "skipped"), Standing::Underway);
        assert_eq!(standing("build", "failure"), Standing::Ended);
        assert_eq!(standing("queued", "canceled"), Standing::Ended);
    }

    #[test]
    fn members_we_do_not_know_are_passed_on() {
        let text = r#"{"id":"1","name":"p","new_member":{"a":1},"latest_deployment":null}"#;
        let project: Project = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(project).unwrap()["new_member"]["a"], 1);
    }
}
