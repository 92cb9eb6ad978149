//! What a deployment's Functions are made of, read from the store when they are first needed.
//!
//! A deployment keeps the settings it was made with. What the bundle says of itself wins over them: it comes from the
//! project's Wrangler configuration, and a deployment that is made again from an old bundle shall run as it did.
//! Secrets are only in the settings.

mod bound;
mod modules;
mod names;

use std::collections::{BTreeMap, BTreeSet};

use offprint_model::config::{Binding, BindingKind, EnvVar, Environment, EnvironmentConfig};
use offprint_model::deployment::Deployment;
use offprint_model::secret::Secret;
use offprint_store::{FunctionsOf, Store, StoreError, WorkerKind};
use offprint_wire::worker_bundle::{self, InvalidBundle};
use offprint_wire::worker_configuration::Metadata;

use crate::bindings::Resource;
use crate::key::DeploymentKey;
use crate::workerd::UrlOf;
pub(crate) use bound::ServiceTarget;
pub(crate) use modules::{Module, ModuleKind};

/// The Functions of a deployment.
pub(crate) struct Plan {
    pub(crate) key: DeploymentKey,
    pub(crate) environment: Environment,
    /// Whether static assets are to be served when Functions cannot run.
    pub(crate) fail_open: bool,
    /// The main module is the first.
    pub(crate) modules: Vec<Module>,
    /// As configured; whether there is such a date is the runtime's to say.
    pub(crate) compatibility_date: String,
    /// Whether it stands in the project's Wrangler configuration.
    pub(crate) has_chosen_date: bool,
    /// Whether the date is to be the newest there is.
    pub(crate) newest_date: bool,
    pub(crate) compatibility_flags: Vec<String>,
    pub(crate) variables: BTreeMap<String, Variable>,
    /// What is served by us, by the binding's name.
    pub(crate) resources: BTreeMap<String, Resource>,
    /// Other projects, by the binding's name.
    pub(crate) services: BTreeMap<String, ServiceTarget>,
    /// The Cache API.
    pub(crate) cache: Resource,
    /// Bindings that there are not, by name: what they are.
    pub(crate) missing: BTreeMap<String, String>,
    /// For the deployment's log.
    pub(crate) warnings: Vec<String>,
}

/// A variable's value.
pub(crate) enum Variable {
    Text(String),
    Json(String),
    Secret(Secret<String>),
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPlan {
    /// The store does not say.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The deployment has no Functions.
    #[error("this deployment has no Functions")]
    NoFunctions,
    /// The bundle is damaged.
    #[error(transparent)]
    Bundle(#[from] InvalidBundle),
    /// Something in the bundle cannot run here: a sentence for the author.
    #[error("{0}")]
    Unusable(String),
}

impl Plan {
    /// Reads what belongs to a deployment.
    ///
    /// # Errors
    /// See [`NoPlan`].
    pub(crate) async fn load(store: &Store, url_of: &UrlOf, key: &DeploymentKey) -> Result<Self, NoPlan> {
        let found = store.functions_of(&key.project, key.deployment).await?;
        let worker = found.document.worker.ok_or(NoPlan::NoFunctions)?;
        let bytes = store.blobs().read(&worker.blob).await?;
        let (modules, metadata) = match worker.kind {
            WorkerKind::Script => (vec![Module::script(bytes)], Metadata::default()),
            WorkerKind::Bundle => {
                let bundle = worker_bundle::read(&bytes)?;
                (modules::of(&bytes, &bundle)?, bundle.metadata)
            }
        };
        let url = url_of(&found.deployment.project_name, &found.deployment.id);
        Ok(Self::of(key, &found, &url, modules, metadata))
    }

    fn of(
        key: &DeploymentKey,
        found: &FunctionsOf,
        url: &str,
        modules: Vec<Module>,
        metadata: Metadata,
    ) -> Self {
        let (deployment, config) = (&found.deployment, &found.deployment.config);
        let has_chosen_date = metadata.compatibility_date.is_some();
        let variables = variables(system_variables(deployment, url), config, &metadata);
        let bindings = bindings(config, &metadata);
        let mut warnings = names::ambiguous(&variables, &bindings);
        let bound = bound::of(&found.project.account_scope(), &bindings);
        let mut missing = bound.missing;
        missing.extend(metadata.unknown_bindings);
        let taken: BTreeSet<_> =
            variables.keys().chain(bound.resources.keys()).chain(bound.services.keys()).collect();
        missing.retain(|name, _| !taken.contains(name));
        warnings.extend(missing.iter().map(|(name, what)| warning(name, what)));
        Self {
            key: key.clone(),
            environment: deployment.environment,
            fail_open: config.fail_open,
            modules,
            has_chosen_date,
            newest_date: config.always_use_latest_compatibility_date,
            compatibility_flags: if has_chosen_date {
                metadata.compatibility_flags
            } else {
                config.compatibility_flags.clone()
            },
            compatibility_date: metadata
                .compatibility_date
                .unwrap_or_else(|| config.compatibility_date.clone()),
            variables,
            resources: bound.resources,
            services: bound.services,
            cache: Resource::Cache {
                project: deployment.project_id.clone(),
                environment: deployment.environment,
                deployment: key.deployment,
            },
            missing,
            warnings,
        }
    }
}

/// What every deployment is told of itself, by the names that builds know (Pages API, "Builds and Git"), as under
/// `wrangler pages dev`.
fn system_variables(deployment: &Deployment, url: &str) -> [(&'static str, String); 4] {
    [
        ("CF_PAGES", "1".to_owned()),
        ("CF_PAGES_BRANCH", deployment.branch.as_str().to_owned()),
        ("CF_PAGES_COMMIT_SHA", deployment.commit.hash.clone()),
        ("CF_PAGES_URL", url.to_owned()),
    ]
}

fn variables(
    system: [(&'static str, String); 4],
    config: &EnvironmentConfig,
    metadata: &Metadata,
) -> BTreeMap<String, Variable> {
    let own = metadata.variables.iter().map(|(name, value)| {
        let is_json = metadata.json_variables.contains(name);
        let value = value.clone();
        (name.clone(), if is_json { Variable::Json(value) } else { Variable::Text(value) })
    });
    let mut variables: BTreeMap<_, _> = own.collect();
    for (name, value) in &config.env_vars {
        match value {
            // A secret is not replaced by what can be read in a file.
            EnvVar::Secret(value) => drop(variables.insert(name.clone(), Variable::Secret(value.clone()))),
            EnvVar::Plain(value) => {
                variables.entry(name.clone()).or_insert_with(|| Variable::Text(value.clone()));
            }
        }
    }
    for (name, value) in system {
        variables.entry(name.to_owned()).or_insert(Variable::Text(value));
    }
    variables
}

fn bindings(
    config: &EnvironmentConfig,
    metadata: &Metadata,
) -> BTreeMap<BindingKind, BTreeMap<String, Binding>> {
    let mut all = config.bindings.clone();
    for (kind, own) in &metadata.bindings {
        all.entry(*kind).or_default().extend(own.clone());
    }
    all
}

fn warning(name: &str, what: &str) -> String {
    format!("The binding {name} ({what}) does not exist on this server; using it throws an error.")
}
