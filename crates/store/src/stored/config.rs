//! The settings of an environment as a JSON column. Secret values are encrypted in it.

use std::collections::BTreeMap;

use offprint_model::config::{Binding, BindingKind, EnvVar, EnvironmentConfig};
use serde::{Deserialize, Serialize};

use super::{from_json, to_json};
use crate::crypt::Keys;
use crate::error::{Result, StoreError};

#[derive(Serialize, Deserialize)]
struct Stored {
    env_vars: BTreeMap<String, StoredVar>,
    bindings: BTreeMap<String, BTreeMap<String, Binding>>,
    compatibility_date: String,
    compatibility_flags: Vec<String>,
    always_use_latest_compatibility_date: bool,
    fail_open: bool,
    build_image_major_version: u32,
    usage_model: String,
    limits_cpu_ms: Option<u32>,
    placement_mode: Option<String>,
    wrangler_config_hash: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredVar {
    Plain(String),
    Secret { key: String, sealed: String },
}

/// The column for settings that belong to `owner`, which must be named again to read them.
pub(crate) fn environment_to_json(config: &EnvironmentConfig, keys: &Keys, owner: &str) -> Result<String> {
    let mut env_vars = BTreeMap::new();
    for (name, var) in &config.env_vars {
        let stored = match var {
            EnvVar::Plain(value) => StoredVar::Plain(value.clone()),
            EnvVar::Secret(value) => {
                StoredVar::Secret { key: keys.id.clone(), sealed: keys.seal(owner, name, value)? }
            }
        };
        env_vars.insert(name.clone(), stored);
    }
    let bindings =
        config.bindings.iter().map(|(kind, all)| (kind.as_str().to_owned(), all.clone())).collect();
    let stored = Stored {
        env_vars,
        bindings,
        compatibility_date: config.compatibility_date.clone(),
        compatibility_flags: config.compatibility_flags.clone(),
        always_use_latest_compatibility_date: config.always_use_latest_compatibility_date,
        fail_open: config.fail_open,
        build_image_major_version: config.build_image_major_version,
        usage_model: config.usage_model.clone(),
        limits_cpu_ms: config.limits_cpu_ms,
        placement_mode: config.placement_mode.clone(),
        wrangler_config_hash: config.wrangler_config_hash.clone(),
    };
    to_json(1, stored)
}

/// The settings in a column, secrets decrypted.
pub(crate) fn environment_from_json(json: &str, keys: &Keys, owner: &str) -> Result<EnvironmentConfig> {
    let stored: Stored = from_json(json)?;
    let mut env_vars = BTreeMap::new();
    for (name, var) in stored.env_vars {
        let var = match var {
            StoredVar::Plain(value) => EnvVar::Plain(value),
            StoredVar::Secret { key, sealed } if key == keys.id => {
                EnvVar::Secret(keys.unseal(owner, &name, &sealed)?)
            }
            StoredVar::Secret { .. } => return Err(StoreError::WrongSecretKey),
        };
        env_vars.insert(name, var);
    }
    let mut bindings = BTreeMap::new();
    for (name, all) in stored.bindings {
        let kind = BindingKind::ALL.iter().find(|kind| kind.as_str() == name);
        let kind = kind.ok_or_else(|| StoreError::Corrupt(format!("unknown kind of binding {name}")))?;
        bindings.insert(*kind, all);
    }
    Ok(EnvironmentConfig {
        env_vars,
        bindings,
        compatibility_date: stored.compatibility_date,
        compatibility_flags: stored.compatibility_flags,
        always_use_latest_compatibility_date: stored.always_use_latest_compatibility_date,
        fail_open: stored.fail_open,
        build_image_major_version: stored.build_image_major_version,
        usage_model: stored.usage_model,
        limits_cpu_ms: stored.limits_cpu_ms,
        placement_mode: stored.placement_mode,
        wrangler_config_hash: stored.wrangler_config_hash,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::secret::Secret;

    #[test]
    fn settings_come_back_and_secrets_are_not_readable_on_disk() {
        let data = tempfile::tempdir().unwrap();
        let keys = Keys::open(data.path()).unwrap();
        let mut config = EnvironmentConfig::new("2026-11-22");
        config.env_vars.insert("A".into(), EnvVar::Plain("1".into()));
        config.env_vars.insert("S".into(), EnvVar::Secret(Secret::new("hush".into())));
        let binding = BTreeMap::from([("ns".to_owned(), "id".to_owned())]);
        config.bindings.insert(BindingKind::Kv, BTreeMap::from([("KV".to_owned(), binding)]));
        config.limits_cpu_ms = Some(50);
        let json = environment_to_json(&config, &keys, "owner").unwrap();
        assert!(!json.contains("hush") && json.starts_with("{\"v\":1,"), "{json}");
        assert!(environment_from_json(&json, &keys, "owner").unwrap() == config);
        assert!(environment_from_json(&json, &keys, "other").is_err());
    }

    #[test]
    fn the_form_of_version_1_still_reads() {
        let data = tempfile::tempdir().unwrap();
        let keys = Keys::open(data.path()).unwrap();
        let json = include_str!("../../tests/fixtures/environment-v1.json");
        let config = environment_from_json(json, &keys, "owner").unwrap();
        assert_eq!(config.compatibility_date, "2026-11-22");
        assert!(config.env_vars["A"] == EnvVar::Plain("1".into()));
        assert_eq!(config.bindings[&BindingKind::R2]["BUCKET"]["name"], "files");
    }
}
