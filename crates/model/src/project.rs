//! Projects, their sources and custom domains.

use crate::config::{BuildConfig, BuildConfigPatch, Environment, EnvironmentConfig, EnvironmentPatch, Patch};
use crate::id::{AccountId, DeploymentId, DomainId, ProjectId};
use crate::name::{BranchName, Hostname, ProjectName};
use crate::time::Timestamp;

/// A site.
#[derive(Clone)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// The tenant.
    pub account: AccountId,
    /// Its name: part of every URL, never changed.
    pub name: ProjectName,
    /// The branch whose deployments go live on the project's own host.
    pub production_branch: BranchName,
    /// When it was made.
    pub created: Timestamp,
    /// A number that names the project's scripts (`pages-worker--<number>-production`).
    pub script_number: u64,
    /// How it is built.
    pub build_config: BuildConfig,
    /// Settings of production.
    pub production: EnvironmentConfig,
    /// Settings of previews.
    pub preview: EnvironmentConfig,
    /// The repository, for projects that are built from git.
    pub source: Option<Source>,
    /// Custom domains, in the order they were added.
    pub domains: Vec<Hostname>,
    /// The production deployment that is live.
    pub canonical: Option<DeploymentId>,
    /// The newest deployment of any environment.
    pub latest: Option<DeploymentId>,
}

impl Project {
    /// The environment of a deployment from this branch.
    pub fn environment_of(&self, branch: &BranchName) -> Environment {
        if *branch == self.production_branch { Environment::Production } else { Environment::Preview }
    }

    /// The settings of an environment.
    pub const fn config(&self, environment: Environment) -> &EnvironmentConfig {
        match environment {
            Environment::Production => &self.production,
            Environment::Preview => &self.preview,
        }
    }

    /// Merges a change in.
    ///
    /// # Errors
    /// [`SourceFixed`] when the change adds a repository or names another one.
    pub fn apply(&mut self, patch: ProjectPatch) -> Result<(), SourceFixed> {
        match (patch.source, &mut self.source) {
            (Patch::Keep, _) => {}
            (Patch::Clear, source) => *source = None,
            (Patch::Set(change), Some(source)) => source.apply(change)?,
            (Patch::Set(_), None) => return Err(SourceFixed),
        }
        if let Some(branch) = patch.production_branch {
            self.production_branch = branch;
        }
        match patch.build_config {
            Patch::Keep => {}
            Patch::Clear => self.build_config = BuildConfig::default(),
            Patch::Set(change) => self.build_config.apply(change),
        }
        self.production.apply(patch.production);
        self.preview.apply(patch.preview);
        Ok(())
    }
}

/// A change to a project, as `PATCH` sends it.
#[derive(Clone, Default)]
pub struct ProjectPatch {
    /// A new production branch. Which deployment is live changes with the next deployment only.
    pub production_branch: Option<BranchName>,
    /// Build settings.
    pub build_config: Patch<BuildConfigPatch>,
    /// Settings of production.
    pub production: EnvironmentPatch,
    /// Settings of previews.
    pub preview: EnvironmentPatch,
    /// Source settings; `Clear` disconnects the repository.
    pub source: Patch<SourcePatch>,
}

/// A repository cannot be added to or changed in an existing project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the repository of a project is fixed when the project is created")]
pub struct SourceFixed;

/// The repository that a project is built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// `github` or `gitlab`.
    pub kind: SourceKind,
    /// Owner of the repository.
    pub owner: String,
    /// The owner's id at the forge: a string of digits, or empty.
    pub owner_id: String,
    /// The repository's name.
    pub repo_name: String,
    /// The repository's id at the forge: a string of digits, or empty.
    pub repo_id: String,
    /// The branch that deploys to production.
    pub production_branch: String,
    /// Whether pull requests get a comment.
    pub pr_comments_enabled: bool,
    /// Deprecated switch for all deployments.
    pub deployments_enabled: bool,
    /// Whether pushes to the production branch deploy.
    pub production_deployments_enabled: bool,
    /// Which other branches deploy.
    pub preview_deployment_setting: PreviewSetting,
    /// Branch patterns that deploy, for [`PreviewSetting::Custom`].
    pub preview_branch_includes: Vec<String>,
    /// Branch patterns that do not.
    pub preview_branch_excludes: Vec<String>,
    /// Paths whose change deploys.
    pub path_includes: Vec<String>,
    /// Paths whose change does not.
    pub path_excludes: Vec<String>,
}

/// A forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
}

/// Which preview branches deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreviewSetting {
    /// All.
    All,
    /// None.
    None,
    /// Those of the include and exclude patterns.
    Custom,
}

/// A change to [`Source`].
#[derive(Clone, Debug, Default)]
pub struct SourcePatch {
    /// The forge, only to be compared.
    pub kind: Option<SourceKind>,
    /// The owner, only to be compared.
    pub owner: Option<String>,
    /// The repository, only to be compared.
    pub repo_name: Option<String>,
    /// See [`Source`].
    pub production_branch: Option<String>,
    /// See [`Source`].
    pub pr_comments_enabled: Option<bool>,
    /// See [`Source`].
    pub deployments_enabled: Option<bool>,
    /// See [`Source`].
    pub production_deployments_enabled: Option<bool>,
    /// See [`Source`].
    pub preview_deployment_setting: Option<PreviewSetting>,
    /// Replaced whole.
    pub preview_branch_includes: Option<Vec<String>>,
    /// Replaced whole.
    pub preview_branch_excludes: Option<Vec<String>>,
    /// Replaced whole.
    pub path_includes: Option<Vec<String>>,
    /// Replaced whole.
    pub path_excludes: Option<Vec<String>>,
}

impl Source {
    fn apply(&mut self, patch: SourcePatch) -> Result<(), SourceFixed> {
        let other = |new: &Option<String>, old: &String| new.as_ref().is_some_and(|new| new != old);
        if patch.kind.is_some_and(|kind| kind != self.kind)
            || other(&patch.owner, &self.owner)
            || other(&patch.repo_name, &self.repo_name)
        {
            return Err(SourceFixed);
        }
        fn set<T>(to: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *to = value;
            }
        }
        set(&mut self.production_branch, patch.production_branch);
        set(&mut self.pr_comments_enabled, patch.pr_comments_enabled);
        set(&mut self.deployments_enabled, patch.deployments_enabled);
        set(&mut self.production_deployments_enabled, patch.production_deployments_enabled);
        set(&mut self.preview_deployment_setting, patch.preview_deployment_setting);
        set(&mut self.preview_branch_includes, patch.preview_branch_includes);
        set(&mut self.preview_branch_excludes, patch.preview_branch_excludes);
        set(&mut self.path_includes, patch.path_includes);
        set(&mut self.path_excludes, patch.path_excludes);
        Ok(())
    }
}

/// A custom domain of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its id.
    pub id: DomainId,
    /// The host name.
    pub name: Hostname,
    /// Whether it answers.
    pub status: DomainStatus,
    /// What the last check found wrong, in words for the owner.
    pub error: Option<String>,
    /// When it was added.
    pub created: Timestamp,
}

/// Whether a custom domain answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainStatus {
    /// Added, not checked yet.
    Initializing,
    /// Checked, and it does not lead here yet.
    Pending,
    /// It answers.
    Active,
}

impl DomainStatus {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Pending => "pending",
            Self::Active => "active",
        }
    }
}
