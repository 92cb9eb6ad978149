//! A change to one environment of `deployment_configs`, as POST and PATCH send it.
//!
//! Pages API, "PATCH semantics": a JSON merge patch. Absent keeps; `null` removes a variable or a binding
//! and takes a setting back to its default; arrays are replaced whole; unknown members are ignored.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use offprint_model::config::{
    BindingKind, EnvVarPatch, EnvironmentConfig, EnvironmentPatch, MapPatch, Patch,
};
use offprint_model::secret::Secret;

use crate::json::{Node, Object, Read};

const NAME_BYTES_MAX: usize = 255;

/// A change to one binding: its members, `None` removes one.
pub(crate) type BindingPatch = BTreeMap<String, Option<String>>;

/// Reads a change to an environment.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_patch(node: &Node<'_>) -> Read<EnvironmentPatch> {
    let object = node.object()?;
    let default = EnvironmentConfig::new("");
    Ok(EnvironmentPatch {
        env_vars: object.patch("env_vars", |vars| named(vars, read_env_var))?,
        bindings: read_bindings(&object)?,
        // The default is the day the project was made, which is not known any more: null keeps the date.
        compatibility_date: object.optional("compatibility_date", read_date)?,
        compatibility_flags: object.or_default(
            "compatibility_flags",
            default.compatibility_flags,
            Node::texts,
        )?,
        always_use_latest_compatibility_date: object.or_default(
            "always_use_latest_compatibility_date",
            default.always_use_latest_compatibility_date,
            Node::boolean,
        )?,
        fail_open: object.or_default("fail_open", default.fail_open, Node::boolean)?,
        build_image_major_version: object.or_default(
            "build_image_major_version",
            default.build_image_major_version,
            read_image_version,
        )?,
        usage_model: object.or_default("usage_model", default.usage_model, read_usage_model)?,
        limits_cpu_ms: read_only_member(&object, "limits", "cpu_ms", Node::number)?,
        placement_mode: read_only_member(&object, "placement", "mode", Node::text)?,
        wrangler_config_hash: object.patch("wrangler_config_hash", Node::text)?,
    })
}

fn read_bindings(object: &Object<'_>) -> Read<BTreeMap<BindingKind, MapPatch<BindingPatch>>> {
    let mut bindings = BTreeMap::new();
    for kind in BindingKind::ALL {
        let change = object.patch(kind.as_str(), |map| named(map, |binding| read_binding(*kind, binding)))?;
        if change != Patch::Keep {
            bindings.insert(*kind, change);
        }
    }
    Ok(bindings)
}

fn read_binding(kind: BindingKind, node: &Node<'_>) -> Read<BindingPatch> {
    let object = node.object()?;
    let mut members = BTreeMap::new();
    for field in kind.fields() {
        match object.patch(field, Node::text)? {
            Patch::Keep => {}
            Patch::Clear => drop(members.insert((*field).to_owned(), None)),
            Patch::Set(text) => drop(members.insert((*field).to_owned(), Some(text))),
        }
    }
    Ok(members)
}

/// A variable: type and value are optional on their own.
///
/// A secret sent with an empty value keeps the value it has: that is how a client writes back what it
/// read, and losing the secret would be the worst of answers.
fn read_env_var(node: &Node<'_>) -> Read<EnvVarPatch> {
    let object = node.object()?;
    let secret =
        object.optional("type", |kind| kind.one_of(&[("plain_text", false), ("secret_text", true)]))?;
    let value = object.optional("value", Node::text)?;
    let value = value.filter(|value| !(secret == Some(true) && value.is_empty()));
    Ok(EnvVarPatch { secret, value: value.map(Secret::new) })
}

/// A map from names to values, where `null` removes a name.
fn named<T>(node: &Node<'_>, read: impl Fn(&Node<'_>) -> Read<T>) -> Read<BTreeMap<String, Option<T>>> {
    let mut changes = BTreeMap::new();
    for (name, value) in node.object()?.entries() {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(value.refuse("has a name of no or of more than 255 bytes"));
        }
        let change = if value.is_null() { None } else { Some(read(&value)?) };
        changes.insert(name.to_owned(), change);
    }
    Ok(changes)
}

/// An object with one member that counts: `null` for either clears it.
fn read_only_member<'a, T>(
    object: &Object<'a>,
    name: &str,
    member: &str,
    read: impl FnOnce(&Node<'a>) -> Read<T>,
) -> Read<Patch<T>> {
    match object.patch(name, |inner| inner.object()?.patch(member, read))? {
        Patch::Keep => Ok(Patch::Keep),
        Patch::Clear => Ok(Patch::Clear),
        Patch::Set(change) => Ok(change),
    }
}

pub(crate) fn read_date(node: &Node<'_>) -> Read<String> {
    let text = node.str()?;
    let legal = text.len() == 10 && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
    if legal { Ok(text.to_owned()) } else { Err(node.refuse("must be a date, YYYY-MM-DD")) }
}

fn read_image_version(node: &Node<'_>) -> Read<u32> {
    node.number()
        .ok()
        .filter(|version| (1..=3).contains(version))
        .ok_or_else(|| node.refuse("must be 1, 2 or 3"))
}

fn read_usage_model(node: &Node<'_>) -> Read<String> {
    let models = [("standard", "standard"), ("bundled", "bundled"), ("unbound", "unbound")];
    node.one_of(&models).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::DeploymentConfig;

    fn read(json: &serde_json::Value) -> Read<EnvironmentPatch> {
        read_patch(&Node::root(json))
    }

    /// Applies the changes one after the other and shows the result.
    fn shown(changes: &[serde_json::Value]) -> serde_json::Value {
        let mut config = EnvironmentConfig::new("2026-11-22");
        for change in changes {
            config.apply(read(change).unwrap());
        }
        serde_json::to_value(DeploymentConfig::from(&config)).unwrap()
    }

    #[test]
    fn an_untouched_environment_has_the_defaults_of_the_real_service() {
        assert_eq!(
            shown(&[]),
            serde_json::json!({
                "env_vars": null, "fail_open": true, "always_use_latest_compatibility_date": false,
                "compatibility_date": "2026-11-22", "compatibility_flags": [],
                "build_image_major_version": 3, "usage_model": "standard"
            })
        );
    }

    /// Absent keeps, null removes or goes back to the default, a value replaces.
    #[test]
    fn settings_merge() {
        use serde_json::json;
        for (member, value, after_null) in [
            ("compatibility_date", json!("2022-01-01"), json!("2022-01-01")),
            ("compatibility_flags", json!(["url_standard"]), json!([])),
            ("always_use_latest_compatibility_date", json!(true), json!(false)),
            ("fail_open", json!(false), json!(true)),
            ("build_image_major_version", json!(2), json!(3)),
            ("usage_model", json!("bundled"), json!("standard")),
            ("limits", json!({"cpu_ms": 50}), json!(null)),
            ("placement", json!({"mode": "smart"}), json!(null)),
            ("wrangler_config_hash", json!("abc"), json!(null)),
            ("kv_namespaces", json!({"A": {"namespace_id": "1"}}), json!(null)),
            ("browsers", json!({"B": {}}), json!(null)),
            ("env_vars", json!({"A": {"type": "plain_text", "value": "1"}}), json!(null)),
        ] {
            let set = json!({ member: value });
            assert_eq!(shown(&[set.clone(), json!({})])[member], value, "{member} kept");
            assert_eq!(shown(&[set, json!({ member: null })])[member], after_null, "{member} cleared");
        }
    }

    #[test]
    fn variables_and_bindings_merge_by_name() {
        use serde_json::json;
        let shown = shown(&[
            json!({"env_vars": {"A": {"value": "1"}, "S": {"type": "secret_text", "value": "s"}, "X": {"value": "x"}},
                   "services": {"O": {"service": "other"}, "P": {"service": "p", "environment": "e"}},
                   "unknown": {"a": 1}}),
            json!({"env_vars": {"X": null, "S": {"type": "secret_text", "value": ""}}, "services": {"P": null}}),
        ]);
        assert_eq!(
            shown["env_vars"],
            json!({"A": {"type": "plain_text", "value": "1"}, "S": {"type": "secret_text", "value": ""}})
        );
        assert_eq!(shown["services"], json!({"O": {"service": "other", "environment": "production"}}));
    }

    #[test]
    fn a_secret_written_back_blank_keeps_its_value() {
        let patch =
            read(&serde_json::json!({"env_vars": {"S": {"type": "secret_text", "value": ""}}})).unwrap();
        let Patch::Set(vars) = patch.env_vars else { panic!("not set") };
        let var = vars["S"].as_ref().unwrap();
        assert!(var.secret == Some(true) && var.value.is_none());
    }

    #[test]
    fn refusals_name_the_member() {
        use serde_json::json;
        for (change, expected) in [
            (json!({"fail_open": "yes"}), "fail_open must be true or false"),
            (json!({"env_vars": {"A": {"value": 1}}}), "env_vars.A.value must be a string"),
            (json!({"env_vars": {"A": "x"}}), "env_vars.A must be an object"),
            (
                json!({"env_vars": {"A": {"type": "x"}}}),
                "env_vars.A.type must be one of plain_text, secret_text",
            ),
            (
                json!({"kv_namespaces": {"A": {"namespace_id": 1}}}),
                "kv_namespaces.A.namespace_id must be a string",
            ),
            (json!({"compatibility_date": "2022-13-01"}), "compatibility_date must be a date, YYYY-MM-DD"),
            (json!({"build_image_major_version": 4}), "build_image_major_version must be 1, 2 or 3"),
            (json!({"limits": {"cpu_ms": -1}}), "limits.cpu_ms must be a whole number and not negative"),
            (json!([]), "the body must be an object"),
        ] {
            assert_eq!(read(&change).err().unwrap().to_string(), expected);
        }
    }
}
