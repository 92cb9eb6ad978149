//! What is built, as far as the steps that all builds share have to know it.

use offprint_model::config::{BuildConfig, EnvVar, Environment, EnvironmentConfig};
use offprint_model::id::ProjectId;
use offprint_store::{VersionWork, Work};

use crate::files::{REPOSITORY, VERSION, Words};
use crate::mask::{Masker, SECRET_BYTES_MIN};

/// What is built, and with which settings.
pub(super) struct Subject {
    /// What it is, for the first line of its log.
    pub(super) title: String,
    pub(super) words: &'static Words,
    pub(super) project: ProjectId,
    pub(super) environment: Environment,
    pub(super) config: EnvironmentConfig,
    pub(super) build_config: BuildConfig,
    /// Whether a stranger wrote it. The settings hold no secrets then, and it must not write into the build cache.
    pub(super) untrusted: bool,
    /// The number of the build cache.
    pub(super) cache_epoch: u64,
    /// Names and values of what must not be in the log.
    secrets: Vec<(String, String)>,
}

impl Subject {
    /// A commit of a repository.
    pub(super) fn of_repository(work: &Work) -> Self {
        let deployment = &work.deployment;
        let mut secrets = secrets_of(&deployment.config);
        if let Some(credentials) = &work.credentials {
            let own = [("token", &credentials.token), ("ssh_key", &credentials.ssh_key)];
            let set = own.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)));
            secrets.extend(
                set.map(|(name, value)| (format!("the repository's {name}"), value.expose().clone())),
            );
        }
        Self {
            title: format!("the branch {} for {}", deployment.branch, deployment.environment.as_str()),
            words: &REPOSITORY,
            project: deployment.project_id.clone(),
            environment: deployment.environment,
            config: deployment.config.clone(),
            build_config: deployment.build_config.clone(),
            untrusted: work.untrusted,
            cache_epoch: work.cache_epoch,
            secrets,
        }
    }

    /// A version of an app. It is built for production, where its deploys go.
    pub(super) fn of_version(work: &VersionWork) -> Self {
        let project = &work.project;
        Self {
            title: format!("the version '{}'", work.name),
            words: &VERSION,
            project: project.id.clone(),
            environment: Environment::Production,
            config: project.production.clone(),
            build_config: project.build_config.clone(),
            untrusted: false,
            cache_epoch: work.cache_epoch,
            secrets: secrets_of(&project.production),
        }
    }

    /// What hides the secrets.
    pub(super) fn masker(&self) -> Masker {
        Masker::new(self.secrets.iter().map(|(_, value)| value))
    }

    /// The names of secrets that the log cannot hide.
    pub(super) fn too_short(&self) -> impl Iterator<Item = &str> {
        let short =
            |(_, value): &&(String, String)| !value.is_empty() && value.trim().len() < SECRET_BYTES_MIN;
        self.secrets.iter().filter(short).map(|(name, _)| name.as_str())
    }
}

fn secrets_of(config: &EnvironmentConfig) -> Vec<(String, String)> {
    let variables = config.env_vars.iter().filter_map(|(name, value)| match value {
        EnvVar::Secret(value) => Some((name.clone(), value.expose().clone())),
        EnvVar::Plain(_) => None,
    });
    variables.collect()
}
