//! Deployments: immutable published versions of a project.

use crate::config::{BuildConfig, Environment, EnvironmentConfig};
use crate::id::{DeploymentId, ProjectId};
use crate::name::{AliasLabel, BranchName, Hostname, ProjectName};
use crate::source::{Source, SourceKind};
use crate::stages::Stages;
use crate::time::Timestamp;

/// A published version of a project with its own URL and five stages.
#[derive(Clone)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// The project.
    pub project_id: ProjectId,
    /// The project's name.
    pub project_name: ProjectName,
    /// The project's production branch when the deployment was made.
    pub production_branch: BranchName,
    /// Production or preview, fixed when the deployment was made.
    pub environment: Environment,
    /// The branch it came from.
    pub branch: BranchName,
    /// The commit it came from, as far as known.
    pub commit: Commit,
    /// What caused it.
    pub trigger: Trigger,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
    /// How far it is.
    pub stages: Stages,
    /// Why nothing was built, when it was skipped.
    pub skipped: Option<SkipReason>,
    /// The build settings it was made with.
    pub build_config: BuildConfig,
    /// The environment's settings it was made with.
    pub config: EnvironmentConfig,
    /// The repository, for builds from git; `None` for direct uploads.
    pub source: Option<Source>,
    /// Whether it has a Worker.
    pub uses_functions: bool,
    /// The hosts besides its own that lead to it now.
    pub aliases: Vec<Alias>,
}

/// The commit of a deployment; all empty when unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// The hash as sent.
    pub hash: String,
    /// The message as sent.
    pub message: String,
    /// Whether the work tree differed from the commit.
    pub dirty: bool,
}

/// What caused a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A direct upload, or a call of the API.
    AdHoc,
    /// A push to GitHub.
    GithubPush,
    /// A push to GitLab.
    GitlabPush,
    /// A push to Forgejo.
    ForgejoPush,
    /// A push to Gitea.
    GiteaPush,
    /// A push to any other repository.
    GitPush,
    /// A deploy hook.
    DeployHook,
}

impl Trigger {
    /// All triggers.
    pub const ALL: [Self; 7] = [
        Self::AdHoc,
        Self::GithubPush,
        Self::GitlabPush,
        Self::ForgejoPush,
        Self::GiteaPush,
        Self::GitPush,
        Self::DeployHook,
    ];

    /// A push to a repository of this kind.
    pub const fn push_to(kind: SourceKind) -> Self {
        match kind {
            SourceKind::Github => Self::GithubPush,
            SourceKind::Gitlab => Self::GitlabPush,
            SourceKind::Forgejo => Self::ForgejoPush,
            SourceKind::Gitea => Self::GiteaPush,
            SourceKind::Git => Self::GitPush,
        }
    }

    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AdHoc => "ad_hoc",
            Self::GithubPush => "github:push",
            Self::GitlabPush => "gitlab:push",
            Self::ForgejoPush => "forgejo:push",
            Self::GiteaPush => "gitea:push",
            Self::GitPush => "git:push",
            Self::DeployHook => "deploy_hook",
        }
    }
}

/// Why a deployment was not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The commit message asked for it.
    CommitMessage,
    /// The project does not deploy previews.
    PreviewDeploymentsDisabled,
    /// The project does not deploy production.
    ProductionDeploymentsDisabled,
    /// No watched path changed.
    PathConfig,
    /// The branch patterns leave it out.
    BranchConfig,
    /// A newer push of the branch came first.
    SupersededQueuedBuild,
}

impl SkipReason {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::CommitMessage,
        Self::PreviewDeploymentsDisabled,
        Self::ProductionDeploymentsDisabled,
        Self::PathConfig,
        Self::BranchConfig,
        Self::SupersededQueuedBuild,
    ];

    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CommitMessage => "commit_message",
            Self::PreviewDeploymentsDisabled => "preview_deployments_disabled",
            Self::ProductionDeploymentsDisabled => "production_deployments_disabled",
            Self::PathConfig => "path_config",
            Self::BranchConfig => "branch_config",
            Self::SupersededQueuedBuild => "superseded_queued_build",
        }
    }
}

/// A host, besides its own, that leads to a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alias {
    /// The project's own host.
    Production,
    /// A branch's host below the project's.
    Branch(AliasLabel),
    /// An active custom domain.
    Domain(Hostname),
}

/// One line of a deployment's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// The text, without a line break.
    pub text: String,
}
