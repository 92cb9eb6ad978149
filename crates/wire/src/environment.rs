//! One environment of `deployment_configs`, as a project shows it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use offprint_model::config::{Binding, BindingKind, EnvVar as ModelEnvVar, EnvironmentConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The settings of one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentConfig {
    /// Variables by name; `null` when there are none.
    #[serde(default)]
    pub env_vars: Option<EnvVars>,
    /// Whether assets are served where Functions cannot run.
    pub fail_open: bool,
    /// Whether Functions run with the newest date, whatever `compatibility_date` says.
    pub always_use_latest_compatibility_date: bool,
    /// `YYYY-MM-DD`.
    pub compatibility_date: String,
    /// In the order they were given.
    pub compatibility_flags: Vec<String>,
    /// 1, 2 or 3.
    pub build_image_major_version: u32,
    /// Deprecated.
    pub usage_model: String,
    /// Limits of Functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Placement of Functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// The hash of the Wrangler configuration that these settings came from, as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrangler_config_hash: Option<String>,
    /// Bindings: a member a kind (`kv_namespaces`, …), absent when there are none of it.
    #[serde(flatten)]
    pub bindings: Map<String, Value>,
}

/// Variables by name.
pub type EnvVars = BTreeMap<String, EnvVar>;

/// A variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvVar {
    /// `plain_text` or `secret_text`.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["plain_text", "secret_text"]))]
    pub kind: Cow<'static, str>,
    /// Its value; always empty for a secret.
    #[serde(default)]
    pub value: String,
}

/// Limits of Functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FunctionLimits")]
pub struct Limits {
    /// CPU milliseconds.
    pub cpu_ms: u32,
}

/// Placement of Functions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Placement {
    /// As sent.
    pub mode: String,
}

impl From<&EnvironmentConfig> for DeploymentConfig {
    fn from(config: &EnvironmentConfig) -> Self {
        Self {
            env_vars: Some(env_vars(config)).filter(|vars| !vars.is_empty()),
            fail_open: config.fail_open,
            always_use_latest_compatibility_date: config.always_use_latest_compatibility_date,
            compatibility_date: config.compatibility_date.clone(),
            compatibility_flags: config.compatibility_flags.clone(),
            build_image_major_version: config.build_image_major_version,
            usage_model: config.usage_model.clone(),
            limits: config.limits_cpu_ms.map(|cpu_ms| Limits { cpu_ms }),
            placement: config.placement_mode.clone().map(|mode| Placement { mode }),
            wrangler_config_hash: config.wrangler_config_hash.clone(),
            bindings: bindings(config),
        }
    }
}

/// The variables as anybody may see them: a secret shows its name and nothing else.
pub fn env_vars(config: &EnvironmentConfig) -> EnvVars {
    let shown = |var: &ModelEnvVar| match var {
        ModelEnvVar::Plain(value) => EnvVar { kind: Cow::Borrowed("plain_text"), value: value.clone() },
        ModelEnvVar::Secret(_) => EnvVar { kind: Cow::Borrowed("secret_text"), value: String::new() },
    };
    config.env_vars.iter().map(|(name, var)| (name.clone(), shown(var))).collect()
}

fn bindings(config: &EnvironmentConfig) -> Map<String, Value> {
    let named = |kind: BindingKind, bindings: &BTreeMap<String, Binding>| {
        let shown = bindings.iter().map(|(name, binding)| (name.clone(), shown_binding(kind, binding)));
        (kind.as_str().to_owned(), Value::Object(shown.collect()))
    };
    config.bindings.iter().map(|(kind, bindings)| named(*kind, bindings)).collect()
}

/// The members that clients require are always there: the first of its kind, and a service's environment.
fn shown_binding(kind: BindingKind, binding: &Binding) -> Value {
    let mut members: Map<String, Value> =
        binding.iter().map(|(name, text)| (name.clone(), Value::String(text.clone()))).collect();
    if let Some(required) = kind.fields().first() {
        members.entry(*required).or_insert_with(|| Value::String(String::new()));
    }
    if kind == BindingKind::Service {
        members.entry("environment").or_insert_with(|| Value::String("production".into()));
    }
    Value::Object(members)
}
