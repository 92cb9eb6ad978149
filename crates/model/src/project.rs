//! Projects, their sources and custom domains.

use crate::config::{BuildConfig, BuildConfigPatch, Environment, EnvironmentConfig, EnvironmentPatch, Patch};
use crate::id::{AccountId, DeploymentId, DomainId, ProjectId};
use crate::name::{BranchName, Hostname, ProjectName};
use crate::time::Timestamp;

pub use crate::source::{PreviewSetting, Source, SourceFixed, SourceKind, SourcePatch};

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
        let mut branch = patch.production_branch;
        match (patch.source, &mut self.source) {
            (Patch::Keep, _) => {}
            (Patch::Clear, source) => *source = None,
            (Patch::Set(change), Some(source)) => {
                // The repository's own branch stands in for the project's, as when a project is created.
                let of_source =
                    change.production_branch.as_deref().and_then(|name| BranchName::parse(name).ok());
                branch = branch.or(of_source);
                source.apply(change)?;
            }
            (Patch::Set(_), None) => return Err(SourceFixed),
        }
        if let Some(branch) = branch {
            if let Some(source) = &mut self.source {
                source.production_branch = branch.to_string();
            }
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
