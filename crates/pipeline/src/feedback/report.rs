//! What a forge is told of a deployment, in words that suit all of them.

use offprint_model::deployment::{Deployment, SkipReason};
use offprint_model::stages::{StageName, StageStatus};

/// Longest description that every forge takes (GitHub: 140 characters).
const DESCRIPTION_CHARS_MAX: usize = 140;

/// Where a deployment stands, as far as a forge is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It waits for a worker.
    Queued,
    /// It is being built or deployed.
    Running,
    /// It is live.
    Live,
    /// A stage failed.
    Failed(StageName),
    /// A person stopped it.
    Canceled,
    /// Nothing is built, on purpose.
    Skipped(SkipReason),
}

impl Standing {
    /// Reads a deployment.
    pub(crate) fn of(deployment: &Deployment) -> Self {
        if let Some(reason) = deployment.skipped {
            return Self::Skipped(reason);
        }
        let stages = &deployment.stages;
        if stages.is_success() {
            return Self::Live;
        }
        if let Some((name, stage)) =
            stages.iter().find(|(_, s)| matches!(s.status, StageStatus::Failure | StageStatus::Canceled))
        {
            return if stage.status == StageStatus::Failure { Self::Failed(name) } else { Self::Canceled };
        }
        match stages.current() {
            StageName::Queued => Self::Queued,
            _ => Self::Running,
        }
    }

    /// Whether nothing will change any more.
    pub(crate) const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// Whether the commit was left out because a newer one came first.
    pub(crate) const fn is_superseded(self) -> bool {
        matches!(self, Self::Skipped(SkipReason::SupersededQueuedBuild))
    }

    /// A sentence for people.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Queued => "Waiting to be built.",
            Self::Running => "Building and deploying.",
            Self::Live => "Deployed.",
            Self::Failed(StageName::CloneRepo) => "The repository could not be cloned.",
            Self::Failed(StageName::Build) => "The build failed.",
            Self::Failed(StageName::Deploy) => "The deployment failed.",
            Self::Failed(StageName::Queued | StageName::Initialize) => "The build could not be started.",
            Self::Canceled => "Canceled.",
            Self::Skipped(reason) => skipped(reason),
        }
    }
}

fn skipped(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::CommitMessage => "Skipped: the commit message asks for it.",
        SkipReason::PreviewDeploymentsDisabled => "Skipped: the project has no preview deployments.",
        SkipReason::ProductionDeploymentsDisabled => "Skipped: production deployments are switched off.",
        SkipReason::PathConfig => "Skipped: no watched path changed.",
        SkipReason::BranchConfig => "Skipped: the project does not deploy this branch.",
        SkipReason::SupersededQueuedBuild => "Skipped: a newer push of the branch came first.",
    }
}

/// Where a deployment and its log are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentLinks {
    /// The deployment's own URL.
    pub site: String,
    /// The URL of its branch, or of the project for production, where it leads to this deployment.
    pub alias: Option<String>,
    /// The API's endpoint for its log; a token is asked for there.
    pub log: String,
}

/// The status of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitStatus {
    /// The full hash.
    pub(crate) commit: String,
    /// The branch that was pushed.
    pub(crate) branch: String,
    /// What it stands at.
    pub(crate) standing: Standing,
    /// Tells our statuses from others of the same commit: one for each project.
    pub(crate) context: String,
    /// For people.
    pub(crate) description: String,
    /// Where the status leads: the site once it is live, the log otherwise.
    pub(crate) target: String,
}

impl CommitStatus {
    /// The status of a deployment's commit; `None` while the commit is not known in full.
    pub(crate) fn of(deployment: &Deployment, links: &DeploymentLinks) -> Option<Self> {
        let commit = full_hash(&deployment.commit.hash)?;
        let standing = Standing::of(deployment);
        let (description, target) = match standing {
            Standing::Live => (format!("{} {}", standing.sentence(), links.site), links.site.clone()),
            _ => (standing.sentence().to_owned(), links.log.clone()),
        };
        Some(Self {
            commit,
            branch: deployment.branch.as_str().to_owned(),
            standing,
            context: format!("offprint/{}", deployment.project_name),
            description: description.chars().take(DESCRIPTION_CHARS_MAX).collect(),
            target,
        })
    }
}

/// A hash that may go into a path: 40 or 64 hex digits.
fn full_hash(text: &str) -> Option<String> {
    let hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hex && matches!(text.len(), 40 | 64)).then(|| text.to_ascii_lowercase())
}
