//! A project's settings for its two environments, and how a change is merged into them.
//!
//! A change is a JSON merge patch (RFC 7386) in the API. Here it is a tree of [`Patch`]es: absent is
//! [`Patch::Keep`], `null` is [`Patch::Clear`].

use std::collections::BTreeMap;

use crate::secret::Secret;

/// A change to one optional value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Not mentioned: stays as it is.
    #[default]
    Keep,
    /// `null`: goes back to nothing.
    Clear,
    /// A new value.
    Set(T),
}

impl<T> Patch<T> {
    /// Applies the change to an optional value.
    pub fn apply(self, to: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *to = None,
            Self::Set(value) => *to = Some(value),
        }
    }

    /// Whether anything changes.
    pub const fn is_change(&self) -> bool {
        !matches!(self, Self::Keep)
    }

    /// The new value, if there is one.
    pub fn into_set(self) -> Option<T> {
        match self {
            Self::Keep | Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// Which of the two environments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Environment {
    /// What the production branch deploys to.
    Production,
    /// Every other branch.
    Preview,
}

impl Environment {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Preview => "preview",
        }
    }
}

/// The value of an environment variable.
#[derive(Clone, PartialEq, Eq)]
pub enum EnvVar {
    /// Readable through the API.
    Plain(String),
    /// Accepted, stored encrypted, never returned.
    Secret(Secret<String>),
}

/// A change to an environment variable: type and value are optional on their own.
#[derive(Clone, Default)]
pub struct EnvVarPatch {
    /// `Some(true)` makes it a secret, `Some(false)` plain; `None` keeps the type, plain when new.
    pub secret: Option<bool>,
    /// `None` keeps the value, empty when new.
    pub value: Option<Secret<String>>,
}

impl EnvVarPatch {
    fn applied_to(self, old: Option<&EnvVar>) -> EnvVar {
        let secret = self.secret.unwrap_or(matches!(old, Some(EnvVar::Secret(_))));
        let kept = || match old {
            Some(EnvVar::Plain(value)) => Secret::new(value.clone()),
            // A kept value of a secret does not become readable by a mere change of its type.
            Some(EnvVar::Secret(value)) if secret => value.clone(),
            _ => Secret::new(String::new()),
        };
        let value = self.value.unwrap_or_else(kept);
        if secret { EnvVar::Secret(value) } else { EnvVar::Plain(value.expose().clone()) }
    }
}

macro_rules! binding_kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, [$($field:literal),*];)*) => {
        /// What a Worker may be bound to. Each binding is a name and a few text members.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum BindingKind { $($(#[$doc])* $kind,)* }

        impl BindingKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The member of a deployment configuration that holds bindings of this kind.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The members that a binding of this kind may have, the required one first.
            pub const fn fields(self) -> &'static [&'static str] {
                match self { $(Self::$kind => &[$($field),*],)* }
            }
        }
    };
}

binding_kinds! {
    /// Workers AI.
    Ai = "ai_bindings", ["project_id"];
    /// Analytics Engine.
    AnalyticsEngine = "analytics_engine_datasets", ["dataset"];
    /// Browser rendering.
    Browser = "browsers", [];
    /// A D1 database.
    D1 = "d1_databases", ["id"];
    /// A Durable Object namespace.
    DurableObject = "durable_object_namespaces", ["namespace_id", "class_name", "service", "environment"];
    /// Hyperdrive.
    Hyperdrive = "hyperdrive_bindings", ["id"];
    /// A KV namespace.
    Kv = "kv_namespaces", ["namespace_id"];
    /// A client certificate.
    MtlsCertificate = "mtls_certificates", ["certificate_id"];
    /// A queue to send to.
    Queue = "queue_producers", ["name"];
    /// An R2 bucket.
    R2 = "r2_buckets", ["name", "jurisdiction"];
    /// Another Worker.
    Service = "services", ["service", "environment", "entrypoint"];
    /// A vector index.
    Vectorize = "vectorize_bindings", ["index_name"];
}

/// The text members of one binding.
pub type Binding = BTreeMap<String, String>;

/// The settings of one environment.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvironmentConfig {
    /// Variables, by name.
    pub env_vars: BTreeMap<String, EnvVar>,
    /// Bindings, by kind and name. Kinds without a binding are absent.
    pub bindings: BTreeMap<BindingKind, BTreeMap<String, Binding>>,
    /// `YYYY-MM-DD`.
    pub compatibility_date: String,
    /// In the order they were given.
    pub compatibility_flags: Vec<String>,
    /// Whether Functions always run with the newest compatibility date.
    pub always_use_latest_compatibility_date: bool,
    /// Whether static assets are served when Functions cannot run.
    pub fail_open: bool,
    /// 1, 2 or 3.
    pub build_image_major_version: u32,
    /// `standard`, `bundled` or `unbound`; deprecated, kept as sent.
    pub usage_model: String,
    /// CPU time limit of Functions, in milliseconds.
    pub limits_cpu_ms: Option<u32>,
    /// Placement mode, as sent.
    pub placement_mode: Option<String>,
    /// The hash of the Wrangler configuration that these settings came from.
    pub wrangler_config_hash: Option<String>,
}

impl EnvironmentConfig {
    /// What the real service fills in for a new project; `today` is the day of creation, `YYYY-MM-DD`.
    pub fn new(today: &str) -> Self {
        Self {
            env_vars: BTreeMap::new(),
            bindings: BTreeMap::new(),
            compatibility_date: today.into(),
            compatibility_flags: Vec::new(),
            always_use_latest_compatibility_date: false,
            fail_open: true,
            build_image_major_version: 3,
            usage_model: "standard".into(),
            limits_cpu_ms: None,
            placement_mode: None,
            wrangler_config_hash: None,
        }
    }

    /// Merges a change in.
    pub fn apply(&mut self, patch: EnvironmentPatch) {
        self.apply_env_vars(patch.env_vars);
        for (kind, change) in patch.bindings {
            let mut bindings = self.bindings.remove(&kind).unwrap_or_default();
            apply_map(&mut bindings, change, |fields, old| merged(old, fields));
            if !bindings.is_empty() {
                self.bindings.insert(kind, bindings);
            }
        }
        set(&mut self.compatibility_date, patch.compatibility_date);
        set(&mut self.compatibility_flags, patch.compatibility_flags);
        set(&mut self.always_use_latest_compatibility_date, patch.always_use_latest_compatibility_date);
        set(&mut self.fail_open, patch.fail_open);
        set(&mut self.build_image_major_version, patch.build_image_major_version);
        set(&mut self.usage_model, patch.usage_model);
        patch.limits_cpu_ms.apply(&mut self.limits_cpu_ms);
        patch.placement_mode.apply(&mut self.placement_mode);
        patch.wrangler_config_hash.apply(&mut self.wrangler_config_hash);
    }

    fn apply_env_vars(&mut self, change: Patch<BTreeMap<String, Option<EnvVarPatch>>>) {
        apply_map(&mut self.env_vars, change, EnvVarPatch::applied_to);
    }
}

/// A change to a map: `null` for the map empties it, `None` for a name removes it.
fn apply_map<T, P>(
    map: &mut BTreeMap<String, T>,
    change: Patch<BTreeMap<String, Option<P>>>,
    applied: impl Fn(P, Option<&T>) -> T,
) {
    match change {
        Patch::Keep => {}
        Patch::Clear => map.clear(),
        Patch::Set(changes) => {
            for (name, change) in changes {
                match change {
                    None => drop(map.remove(&name)),
                    Some(patch) => {
                        let value = applied(patch, map.get(&name));
                        map.insert(name, value);
                    }
                }
            }
        }
    }
}

fn merged(old: Option<&Binding>, change: BTreeMap<String, Option<String>>) -> Binding {
    let mut fields = old.cloned().unwrap_or_default();
    apply_map(&mut fields, Patch::Set(change), |value, _| value);
    fields
}

fn set<T>(to: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *to = value;
    }
}

/// A change to a map of named values.
pub type MapPatch<T> = Patch<BTreeMap<String, Option<T>>>;

/// A change to the settings of one environment.
#[derive(Clone, Default)]
pub struct EnvironmentPatch {
    /// Variables by name; `None` removes one.
    pub env_vars: MapPatch<EnvVarPatch>,
    /// Bindings by kind and name; `None` removes one, or one of its members.
    pub bindings: BTreeMap<BindingKind, MapPatch<BTreeMap<String, Option<String>>>>,
    /// See [`EnvironmentConfig`].
    pub compatibility_date: Option<String>,
    /// Replaced whole.
    pub compatibility_flags: Option<Vec<String>>,
    /// See [`EnvironmentConfig`].
    pub always_use_latest_compatibility_date: Option<bool>,
    /// See [`EnvironmentConfig`].
    pub fail_open: Option<bool>,
    /// See [`EnvironmentConfig`].
    pub build_image_major_version: Option<u32>,
    /// See [`EnvironmentConfig`].
    pub usage_model: Option<String>,
    /// See [`EnvironmentConfig`].
    pub limits_cpu_ms: Patch<u32>,
    /// See [`EnvironmentConfig`].
    pub placement_mode: Patch<String>,
    /// See [`EnvironmentConfig`].
    pub wrangler_config_hash: Patch<String>,
}

/// How a site is built, and its Web Analytics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildConfig {
    /// Whether builds may use the cache. `None` until someone says.
    pub build_caching: Option<bool>,
    /// The command that builds the site.
    pub build_command: Option<String>,
    /// Where the build leaves the site, relative to the root directory.
    pub destination_dir: Option<String>,
    /// Where the command runs, relative to the repository.
    pub root_dir: Option<String>,
    /// Web Analytics tag.
    pub web_analytics_tag: Option<String>,
    /// Web Analytics token.
    pub web_analytics_token: Option<String>,
}

/// A change to [`BuildConfig`].
#[derive(Clone, Debug, Default)]
pub struct BuildConfigPatch {
    /// See [`BuildConfig`].
    pub build_caching: Patch<bool>,
    /// See [`BuildConfig`].
    pub build_command: Patch<String>,
    /// See [`BuildConfig`].
    pub destination_dir: Patch<String>,
    /// See [`BuildConfig`].
    pub root_dir: Patch<String>,
    /// See [`BuildConfig`].
    pub web_analytics_tag: Patch<String>,
    /// See [`BuildConfig`].
    pub web_analytics_token: Patch<String>,
}

impl BuildConfig {
    /// Merges a change in.
    pub fn apply(&mut self, patch: BuildConfigPatch) {
        patch.build_caching.apply(&mut self.build_caching);
        patch.build_command.apply(&mut self.build_command);
        patch.destination_dir.apply(&mut self.destination_dir);
        patch.root_dir.apply(&mut self.root_dir);
        patch.web_analytics_tag.apply(&mut self.web_analytics_tag);
        patch.web_analytics_token.apply(&mut self.web_analytics_token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(changes: &[(&str, Option<EnvVarPatch>)]) -> EnvironmentPatch {
        let map = changes.iter().map(|(name, change)| ((*name).to_owned(), change.clone())).collect();
        EnvironmentPatch { env_vars: Patch::Set(map), ..Default::default() }
    }

    fn var(secret: Option<bool>, value: Option<&str>) -> Option<EnvVarPatch> {
        Some(EnvVarPatch { secret, value: value.map(|v| Secret::new(v.into())) })
    }

    fn shown(config: &EnvironmentConfig) -> Vec<(String, bool, String)> {
        let show = |(name, var): (&String, &EnvVar)| match var {
            EnvVar::Plain(value) => (name.clone(), false, value.clone()),
            EnvVar::Secret(value) => (name.clone(), true, value.expose().clone()),
        };
        config.env_vars.iter().map(show).collect()
    }

    #[test]
    fn variables_merge_one_by_one() {
        let mut config = EnvironmentConfig::new("2026-11-22");
        config.apply(vars(&[("A", var(None, Some("1"))), ("S", var(Some(true), Some("s")))]));
        config.apply(vars(&[("S", var(None, Some("t"))), ("A", None), ("B", var(Some(false), None))]));
        assert_eq!(shown(&config), [("B".into(), false, String::new()), ("S".into(), true, "t".into())]);
    }

    #[test]
    fn a_secret_does_not_become_readable_by_its_type_alone() {
        let mut config = EnvironmentConfig::new("2026-11-22");
        config.apply(vars(&[("S", var(Some(true), Some("s")))]));
        config.apply(vars(&[("S", var(Some(false), None))]));
        assert_eq!(shown(&config), [("S".into(), false, String::new())]);
    }

    #[test]
    fn a_null_map_empties_and_a_null_name_removes() {
        let mut config = EnvironmentConfig::new("2026-11-22");
        let bind = |name: &str, id: Option<&str>| {
            let fields = id.map(|id| BTreeMap::from([("namespace_id".to_owned(), Some(id.to_owned()))]));
            EnvironmentPatch {
                bindings: BTreeMap::from([(
                    BindingKind::Kv,
                    Patch::Set(BTreeMap::from([(name.to_owned(), fields)])),
                )]),
                ..Default::default()
            }
        };
        config.apply(bind("A", Some("1")));
        config.apply(bind("B", Some("2")));
        config.apply(bind("A", None));
        assert_eq!(config.bindings[&BindingKind::Kv].keys().collect::<Vec<_>>(), ["B"]);
        config.apply(EnvironmentPatch {
            bindings: BTreeMap::from([(BindingKind::Kv, Patch::Clear)]),
            ..Default::default()
        });
        assert!(config.bindings.is_empty());
    }
}
