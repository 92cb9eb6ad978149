//! The repository that a project is built from.

mod clone_url;

pub use clone_url::{CloneScheme, CloneUrl};

use crate::config::Patch;
use crate::name::InvalidName;

/// The repository of a project, and which of its pushes deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Who keeps the repository.
    pub kind: SourceKind,
    /// Owner of the repository; may be empty for plain git.
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
    /// Where it is cloned from, as the owner of the project said it; see [`Source::clone_url`].
    pub clone_url: Option<CloneUrl>,
    /// The forge's HTTP API, as the owner of the project said it; see [`Source::api_url`].
    pub api_url: Option<String>,
    /// Whether submodules are fetched, too.
    pub submodules: bool,
    /// Whether large files (git LFS) are fetched, too.
    pub lfs: bool,
    /// Whether the server asks the repository for news now and then, for repositories whose forge cannot reach
    /// the server with a webhook.
    pub poll: bool,
}

impl Source {
    /// A repository with the settings that the real service gives a new project (Pages API, "The objects as the real API
    /// returns them"): everything is deployed. Nothing that extends that API is on.
    pub fn new(kind: SourceKind, owner: &str, repo_name: &str) -> Self {
        let everything = || vec!["*".to_owned()];
        Self {
            kind,
            owner: owner.to_owned(),
            owner_id: String::new(),
            repo_name: repo_name.to_owned(),
            repo_id: String::new(),
            production_branch: "main".to_owned(),
            pr_comments_enabled: true,
            deployments_enabled: true,
            production_deployments_enabled: true,
            preview_deployment_setting: PreviewSetting::All,
            preview_branch_includes: everything(),
            preview_branch_excludes: Vec::new(),
            path_includes: everything(),
            path_excludes: Vec::new(),
            clone_url: None,
            api_url: None,
            submodules: false,
            lfs: false,
            poll: false,
        }
    }
}

/// Who keeps a repository. All but [`SourceKind::Github`] and [`SourceKind::Gitlab`] extend the Pages API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
    /// Forgejo.
    Forgejo,
    /// Gitea.
    Gitea,
    /// Any git repository. Nobody is told how its deployments went.
    Git,
}

impl SourceKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Github, Self::Gitlab, Self::Forgejo, Self::Gitea, Self::Git];

    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Forgejo => "forgejo",
            Self::Gitea => "gitea",
            Self::Git => "git",
        }
    }

    /// Where repositories of this kind are cloned from and where the API is, if there is one place for all.
    const fn home(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Github => Some(("https://github.com", "https://api.github.com")),
            Self::Gitlab => Some(("https://gitlab.com", "https://gitlab.com/api/v4")),
            Self::Forgejo | Self::Gitea | Self::Git => None,
        }
    }

    /// Whether a source of this kind must say its clone URL.
    pub const fn needs_clone_url(self) -> bool {
        self.home().is_none()
    }

    /// Where the API is below the root of a server of one's own.
    const fn api_path(self) -> Option<&'static str> {
        match self {
            Self::Github => Some("/api/v3"),
            Self::Gitlab => Some("/api/v4"),
            Self::Forgejo | Self::Gitea => Some("/api/v1"),
            Self::Git => None,
        }
    }
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

impl Source {
    /// Where the repository is cloned from: what its owner said, or its place at GitHub or GitLab. `None` only
    /// for an owner or a name that cannot be part of a URL.
    pub fn clone_url(&self) -> Option<CloneUrl> {
        if let Some(url) = &self.clone_url {
            return Some(url.clone());
        }
        let (site, _) = self.kind.home()?;
        CloneUrl::parse(&format!("{site}/{}/{}.git", self.owner, self.repo_name)).ok()
    }

    /// The forge's HTTP API, without a slash at its end: what the owner said, or where servers of this kind
    /// have it, on the host that the repository is cloned from. `None` for plain git and local repositories.
    pub fn api_url(&self) -> Option<String> {
        if let Some(url) = &self.api_url {
            return Some(url.trim_end_matches('/').to_owned());
        }
        let Some(clone) = &self.clone_url else {
            return self.kind.home().map(|(_, api)| api.to_owned());
        };
        let path = self.kind.api_path()?;
        match (self.kind, clone.host()?) {
            (SourceKind::Github, "github.com") => Some("https://api.github.com".into()),
            // A forge may live below a path; its repositories are two steps further down. GitLab's groups
            // nest, so there the root is all that can be known.
            (SourceKind::Forgejo | SourceKind::Gitea, _) => {
                let (owner, _) = clone.owner_and_name();
                let below = owner.rsplit_once('/').map(|(below, _)| below);
                let below = below.map_or_else(String::new, |below| format!("/{below}"));
                clone.origin().map(|origin| format!("{origin}{below}{path}"))
            }
            _ => clone.origin().map(|origin| format!("{origin}{path}")),
        }
    }

    /// Merges a change in.
    ///
    /// # Errors
    /// [`SourceFixed`] when the change names another repository.
    pub fn apply(&mut self, patch: SourcePatch) -> Result<(), SourceFixed> {
        let other = |new: &Option<String>, old: &String| new.as_ref().is_some_and(|new| new != old);
        if patch.kind.is_some_and(|kind| kind != self.kind)
            || other(&patch.owner, &self.owner)
            || other(&patch.repo_name, &self.repo_name)
            || patch.clone_url.is_some_and(|url| Some(url) != self.clone_url())
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
        patch.api_url.apply(&mut self.api_url);
        set(&mut self.submodules, patch.submodules);
        set(&mut self.lfs, patch.lfs);
        set(&mut self.poll, patch.poll);
        Ok(())
    }
}

/// A change to [`Source`].
#[derive(Clone, Debug, Default)]
pub struct SourcePatch {
    /// Who keeps the repository, only to be compared.
    pub kind: Option<SourceKind>,
    /// The owner, only to be compared.
    pub owner: Option<String>,
    /// The repository, only to be compared.
    pub repo_name: Option<String>,
    /// The clone URL, only to be compared.
    pub clone_url: Option<CloneUrl>,
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
    /// `Clear` goes back to where servers of this kind have it.
    pub api_url: Patch<String>,
    /// See [`Source`].
    pub submodules: Option<bool>,
    /// See [`Source`].
    pub lfs: Option<bool>,
    /// See [`Source`].
    pub poll: Option<bool>,
}

/// A repository cannot be added to or changed in an existing project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the repository of a project is fixed when the project is created")]
pub struct SourceFixed;

/// Checks the URL of a forge's HTTP API: `http` or `https`, a host, and perhaps a path; 2048 bytes at the most.
///
/// # Errors
/// The rule that the text breaks.
pub fn check_api_url(text: &str) -> Result<(), InvalidName> {
    let url = CloneUrl::parse_base(text)?;
    match url.scheme() {
        CloneScheme::Http | CloneScheme::Https => Ok(()),
        CloneScheme::Ssh | CloneScheme::Local => Err(InvalidName("it begins with https:// or http://")),
    }
}

#[cfg(test)]
mod tests;
