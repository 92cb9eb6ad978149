//! The metadata of a worker bundle, and the project's configuration that it becomes.
//!
//! Pages API, "What a deployment does to the project": with a `wrangler_config_hash`, the bindings,
//! variables and dates in the metadata become the environment's configuration. Secrets are not touched.

use std::collections::{BTreeMap, BTreeSet};

use offprint_model::config::{
    Binding, BindingKind, EnvVar, EnvVarPatch, EnvironmentConfig, EnvironmentPatch, MapPatch, Patch,
};
use offprint_model::secret::Secret;

use crate::environment_request::{BindingPatch, read_date};
use crate::json::{Node, Object, Read};

/// The part `metadata` of a worker bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The module whose default export answers requests.
    pub main_module: String,
    /// `YYYY-MM-DD`, if configured.
    pub compatibility_date: Option<String>,
    /// In the order they were given.
    pub compatibility_flags: Vec<String>,
    /// Placement mode, if configured.
    pub placement_mode: Option<String>,
    /// CPU milliseconds, if limited.
    pub limits_cpu_ms: Option<u32>,
    /// Plain variables; JSON ones as their text.
    pub variables: BTreeMap<String, String>,
    /// Those of the variables that are JSON.
    pub json_variables: BTreeSet<String>,
    /// Bindings of kinds that we do not know: the name and the kind. They are for a newer server.
    pub unknown_bindings: BTreeMap<String, String>,
    /// Everything else a Worker may be bound to.
    pub bindings: BTreeMap<BindingKind, BTreeMap<String, Binding>>,
}

/// Reads the part `metadata`.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_metadata(body: &[u8]) -> Read<Metadata> {
    let value = crate::json::parse(body)?;
    let object = Node::root(&value).object()?;
    let mut metadata = Metadata {
        main_module: object.required("main_module", Node::text)?,
        compatibility_date: object.optional("compatibility_date", read_date)?,
        compatibility_flags: object.optional("compatibility_flags", Node::texts)?.unwrap_or_default(),
        placement_mode: object
            .optional("placement", |placement| placement.object()?.optional("mode", Node::text))?
            .flatten(),
        limits_cpu_ms: object
            .optional("limits", |limits| limits.object()?.optional("cpu_ms", Node::number))?
            .flatten(),
        ..Metadata::default()
    };
    object.optional("bindings", |bindings| {
        bindings.elements()?.try_for_each(|binding| read_binding(&binding.object()?, &mut metadata))
    })?;
    Ok(metadata)
}

/// A binding of the metadata's list.
fn read_binding(object: &Object<'_>, metadata: &mut Metadata) -> Read<()> {
    let name = object.required("name", Node::text)?;
    let kind = object.required("type", Node::text)?;
    match kind.as_str() {
        "plain_text" => drop(metadata.variables.insert(name, object.required("text", Node::text)?)),
        "json" => {
            let value = object.get("json").map_or_else(|| "null".to_owned(), |json| json.value().to_string());
            metadata.json_variables.insert(name.clone());
            metadata.variables.insert(name, value);
        }
        other => match binding_kind(other) {
            Some((kind, members)) => {
                let binding = read_members(object, members)?;
                metadata.bindings.entry(kind).or_default().insert(name, binding);
            }
            None => drop(metadata.unknown_bindings.insert(name, kind)),
        },
    }
    Ok(())
}

/// The members of a binding: the name in the metadata and the name in a project's configuration.
type Members = &'static [(&'static str, &'static str)];

fn binding_kind(kind: &str) -> Option<(BindingKind, Members)> {
    let known: (BindingKind, Members) = match kind {
        "kv_namespace" => (BindingKind::Kv, &[("namespace_id", "namespace_id")]),
        "durable_object_namespace" => (
            BindingKind::DurableObject,
            &[("class_name", "class_name"), ("script_name", "service"), ("environment", "environment")],
        ),
        "queue" => (BindingKind::Queue, &[("queue_name", "name")]),
        "r2_bucket" => (BindingKind::R2, &[("bucket_name", "name"), ("jurisdiction", "jurisdiction")]),
        "d1" => (BindingKind::D1, &[("id", "id")]),
        "vectorize" => (BindingKind::Vectorize, &[("index_name", "index_name")]),
        "hyperdrive" => (BindingKind::Hyperdrive, &[("id", "id")]),
        "service" => (
            BindingKind::Service,
            &[("service", "service"), ("environment", "environment"), ("entrypoint", "entrypoint")],
        ),
        "analytics_engine" => (BindingKind::AnalyticsEngine, &[("dataset", "dataset")]),
        "ai" => (BindingKind::Ai, &[]),
        "mtls_certificate" => (BindingKind::MtlsCertificate, &[("certificate_id", "certificate_id")]),
        "browser" => (BindingKind::Browser, &[]),
        _ => return None,
    };
    Some(known)
}

fn read_members(object: &Object<'_>, members: Members) -> Read<Binding> {
    let mut binding = Binding::new();
    for (from, to) in members {
        if let Some(text) = object.optional(from, Node::text)? {
            binding.insert((*to).to_owned(), text);
        }
    }
    Ok(binding)
}

/// The change that makes an environment's configuration what a deployment's Wrangler configuration says.
///
/// Without a bundle (a static site) the configuration travels without its bindings: then only the hash
/// is kept.
pub fn patch(hash: &str, metadata: Option<&Metadata>, current: &EnvironmentConfig) -> EnvironmentPatch {
    let hash = Patch::Set(hash.to_owned());
    let Some(metadata) = metadata else {
        return EnvironmentPatch { wrangler_config_hash: hash, ..EnvironmentPatch::default() };
    };
    EnvironmentPatch {
        env_vars: Patch::Set(variables_patch(metadata, current)),
        bindings: BindingKind::ALL
            .iter()
            .map(|kind| (*kind, bindings_patch(*kind, metadata, current)))
            .collect(),
        compatibility_date: metadata.compatibility_date.clone(),
        compatibility_flags: Some(metadata.compatibility_flags.clone()),
        limits_cpu_ms: set_or_clear(metadata.limits_cpu_ms),
        placement_mode: set_or_clear(metadata.placement_mode.clone()),
        wrangler_config_hash: hash,
        ..EnvironmentPatch::default()
    }
}

fn variables_patch(
    metadata: &Metadata,
    current: &EnvironmentConfig,
) -> BTreeMap<String, Option<EnvVarPatch>> {
    let is_secret = |name: &String| matches!(current.env_vars.get(name), Some(EnvVar::Secret(_)));
    let gone = current.env_vars.keys().map(|name| (name.clone(), None));
    let set = metadata.variables.iter().map(|(name, text)| {
        let patch = EnvVarPatch { secret: Some(false), value: Some(Secret::new(text.clone())) };
        (name.clone(), Some(patch))
    });
    gone.chain(set).filter(|(name, _)| !is_secret(name)).collect()
}

fn bindings_patch(
    kind: BindingKind,
    metadata: &Metadata,
    current: &EnvironmentConfig,
) -> MapPatch<BindingPatch> {
    let old = current.bindings.get(&kind);
    let new = metadata.bindings.get(&kind);
    let Some(new) = new.filter(|new| !new.is_empty()) else { return Patch::Clear };
    let gone = old.into_iter().flatten().map(|(name, _)| (name.clone(), None));
    let set = new.iter().map(|(name, binding)| {
        // A member that is not mentioned any more goes, too: the file is the whole truth.
        let absent = kind.fields().iter().map(|field| ((*field).to_owned(), None));
        let present = binding.iter().map(|(field, text)| (field.clone(), Some(text.clone())));
        (name.clone(), Some(absent.chain(present).collect()))
    });
    Patch::Set(gone.chain(set).collect())
}

fn set_or_clear<T>(value: Option<T>) -> Patch<T> {
    value.map_or(Patch::Clear, Patch::Set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(json: &serde_json::Value) -> Metadata {
        read_metadata(json.to_string().as_bytes()).unwrap()
    }

    fn sample() -> Metadata {
        metadata(&serde_json::json!({
            "main_module": "m.js",
            "bindings": [
                {"name": "MY_VAR", "type": "plain_text", "text": "from toml"},
                {"name": "JSONV", "type": "json", "json": {"a": 1, "b": ["x"]}},
                {"name": "MY_KV", "type": "kv_namespace", "namespace_id": "0123"},
                {"name": "DO", "type": "durable_object_namespace", "class_name": "C", "script_name": "s"},
                {"name": "Q", "type": "queue", "queue_name": "demo-queue", "delivery_delay": 3},
                {"name": "BUCKET", "type": "r2_bucket", "bucket_name": "demo-bucket"},
                {"name": "AI", "type": "ai"},
                {"name": "V", "type": "version_metadata"},
            ],
            "compatibility_date": "2026-01-15",
            "compatibility_flags": ["nodejs_compat"],
            "placement": {"mode": "smart"},
            "limits": {"cpu_ms": 100},
        }))
    }

    #[test]
    fn json_and_what_a_newer_server_would_know_are_told_apart() {
        let metadata = sample();
        assert!(metadata.json_variables.iter().eq(["JSONV"]));
        assert_eq!(metadata.unknown_bindings, BTreeMap::from([("V".into(), "version_metadata".into())]));
    }

    #[test]
    fn the_file_becomes_the_configuration() {
        let mut config = EnvironmentConfig::new("2020-01-01");
        config.apply(patch("h", Some(&sample()), &config));
        assert!(config.env_vars["MY_VAR"] == EnvVar::Plain("from toml".into()));
        assert!(config.env_vars["JSONV"] == EnvVar::Plain(r#"{"a":1,"b":["x"]}"#.into()));
        assert_eq!(config.bindings[&BindingKind::DurableObject]["DO"]["service"], "s");
        assert_eq!(config.bindings[&BindingKind::R2]["BUCKET"]["name"], "demo-bucket");
        assert!(config.bindings[&BindingKind::Ai]["AI"].is_empty());
        assert_eq!((config.compatibility_date.as_str(), config.limits_cpu_ms), ("2026-01-15", Some(100)));
        assert_eq!(config.wrangler_config_hash.as_deref(), Some("h"));
    }

    #[test]
    fn what_the_file_no_longer_says_goes_and_secrets_stay() {
        let mut config = EnvironmentConfig::new("2020-01-01");
        config.apply(patch("h", Some(&sample()), &config));
        config.env_vars.insert("MY_SECRET".into(), EnvVar::Secret(Secret::new("s".into())));
        let next = metadata(&serde_json::json!({"main_module": "m.js", "bindings": [
            {"name": "MY_SECRET", "type": "plain_text", "text": "readable"},
            {"name": "OTHER", "type": "kv_namespace", "namespace_id": "4567"},
        ]}));
        config.apply(patch("i", Some(&next), &config));
        assert_eq!(config.env_vars.keys().collect::<Vec<_>>(), ["MY_SECRET"]);
        assert!(config.env_vars["MY_SECRET"] == EnvVar::Secret(Secret::new("s".into())));
        assert_eq!(config.bindings.keys().collect::<Vec<_>>(), [&BindingKind::Kv]);
        assert_eq!(config.bindings[&BindingKind::Kv].keys().collect::<Vec<_>>(), ["OTHER"]);
        assert!(config.compatibility_flags.is_empty() && config.placement_mode.is_none());
    }

    #[test]
    fn a_static_site_keeps_its_bindings() {
        let mut config = EnvironmentConfig::new("2020-01-01");
        config.apply(patch("h", Some(&sample()), &config));
        config.apply(patch("i", None, &config));
        assert_eq!(config.bindings.len(), 5);
        assert_eq!(config.wrangler_config_hash.as_deref(), Some("i"));
    }
}
