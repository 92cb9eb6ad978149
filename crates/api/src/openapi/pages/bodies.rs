//! Schemas of what is sent. Members that are not named are passed over, as in the real service, and an optional member may
//! be `null`. Lengths that are counted in bytes are in the descriptions, since a schema counts characters.

use offprint_model::config::BindingKind;
use offprint_wire::token::{PAGES_READ, PAGES_WRITE};
use serde_json::{Map, Value, json};

use super::super::schema::{
    base64, flag, list, members, object, or_null, patterned, reference, text, whole_number, words,
};

const PROJECT_NAME: &str = "^[a-z0-9]([a-z0-9-]{0,56}[a-z0-9])?$";
const HOST_NAME: &str = "^([a-zA-Z0-9][a-zA-Z0-9-]{0,62}\\.){1,3}[a-zA-Z0-9][a-zA-Z0-9-]{1,19}$";
const MD5: &str = "^[0-9a-fA-F]{32}$";
const COMMIT: &str = "^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$";
/// Not empty, and nothing that controls.
const PLAIN: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";
const VISIBLE: &str = "^[!-~]+$";

/// All by name.
pub(super) fn sent() -> Map<String, Value> {
    let mut all = projects();
    all.extend(deployments());
    all.extend(sources());
    all.extend(resources());
    all
}

fn branch() -> Value {
    described(patterned(PLAIN), "1 to 255 bytes.")
}

fn described(mut schema: Value, about: &str) -> Value {
    schema["description"] = json!(about);
    schema
}

/// An object whose members, all optional, may be `null`.
fn settings(properties: &[(&str, Value)]) -> Value {
    let nullable: Map<String, Value> =
        properties.iter().map(|(name, schema)| ((*name).to_owned(), or_null(schema))).collect();
    object(&[], Value::Object(nullable))
}

fn projects() -> Map<String, Value> {
    let configs = settings(&[
        ("production", reference("EnvironmentChange")),
        ("preview", reference("EnvironmentChange")),
    ]);
    let group = json!({ "anyOf": [
        object(&["id"], json!({ "id": words(&[PAGES_READ.0, PAGES_WRITE.0]), "name": or_null(&text()) })),
        object(&["name"], json!({ "name": words(&[PAGES_READ.1, PAGES_WRITE.1]), "id": { "type": "null" } })),
    ] });
    let policy = object(
        &["permission_groups"],
        json!({
            "effect": or_null(&words(&["allow"])),
            "resources": { "type": "object", "description": "Makes no difference: a token is good for its account." },
            "permission_groups": { "type": "array", "minItems": 1, "items": group },
        }),
    );
    let expires = described(json!({ "type": "string", "format": "date-time" }), "In the future.");
    members(json!({
        "NewToken": object(&["name", "policies"], json!({
            "name": described(json!({ "type": "string", "minLength": 1 }), "120 bytes at the most."),
            "policies": { "type": "array", "minItems": 1, "items": policy },
            "expires_on": or_null(&expires),
            "condition": { "type": "null" },
            "not_before": { "type": "null" },
        })),
        "NewProject": object(&["name", "production_branch"], json!({
            "name": patterned(PROJECT_NAME),
            "production_branch": branch(),
            "build_config": or_null(&reference("BuildConfigChange")),
            "deployment_configs": or_null(&configs),
            "source": or_null(&reference("NewSource")),
        })),
        "ProjectChange": settings(&[
            ("name", described(patterned(PROJECT_NAME), "The name that it has.")),
            ("production_branch", branch()),
            ("build_config", reference("BuildConfigChange")),
            ("deployment_configs", configs.clone()),
            ("source", reference("RepositoryChange")),
        ]),
        "BuildConfigChange": settings(&[
            ("build_caching", flag()),
            ("build_command", text()),
            ("destination_dir", text()),
            ("root_dir", text()),
            ("web_analytics_tag", text()),
            ("web_analytics_token", text()),
        ]),
        "EnvironmentChange": environment(),
        "NewDomain": object(&["name"], json!({ "name": described(patterned(HOST_NAME), "253 bytes at the most.") })),
    }))
}

/// Settings of an environment; a map of variables or bindings is merged, and `null` removes a name.
fn environment() -> Value {
    let named = |schema: &Value| {
        json!({
            "type": "object",
            "propertyNames": { "minLength": 1, "description": "255 bytes at the most." },
            "additionalProperties": or_null(schema),
        })
    };
    let variable = settings(&[("type", words(&["plain_text", "secret_text"])), ("value", text())]);
    let date = json!({ "type": "string", "format": "date" });
    let mut properties = vec![
        ("env_vars", named(&variable)),
        ("compatibility_date", date),
        ("compatibility_flags", list(&text())),
        ("always_use_latest_compatibility_date", flag()),
        ("fail_open", flag()),
        ("build_image_major_version", whole_number(1, 3)),
        ("usage_model", words(&["standard", "bundled", "unbound"])),
        ("limits", settings(&[("cpu_ms", whole_number(0, u64::from(u32::MAX)))])),
        ("placement", settings(&[("mode", text())])),
        ("wrangler_config_hash", text()),
    ];
    for kind in BindingKind::ALL {
        let fields: Vec<(&str, Value)> = kind.fields().iter().map(|field| (*field, text())).collect();
        properties.push((kind.as_str(), named(&settings(&fields))));
    }
    settings(&properties)
}

/// An object with a `value` that is a text, or where `base64` says so, bytes.
fn encoded_or_not(required: &[&str], properties: &Value) -> Value {
    let with = |encoded: bool, value: Value| {
        let mut schema = object(required, properties.clone());
        schema["properties"]["value"] = value;
        schema["properties"]["base64"] = json!({ "const": encoded });
        if encoded && !required.contains(&"base64") {
            schema["required"] = required.iter().chain(&["base64"]).copied().collect();
        }
        schema
    };
    json!({ "anyOf": [with(false, text()), with(true, base64())] })
}

fn deployments() -> Map<String, Value> {
    let file = || json!({ "type": "string", "contentMediaType": "application/octet-stream" });
    let filter = settings(&[
        ("sampling_rate", json!({ "type": "number", "minimum": 0, "maximum": 1 })),
        ("outcome", list(&text())),
        ("method", list(&text())),
        ("header", object(&["key"], json!({ "key": text(), "query": or_null(&text()) }))),
        ("client_ip", list(&text())),
        ("query", text()),
    ]);
    let mut filter = filter;
    filter["additionalProperties"] = json!(false);
    let key =
        described(json!({ "type": "string", "pattern": VISIBLE, "maxLength": 128 }), "The hash of a file.");
    members(json!({
        "NewDeployment": object(&[], json!({
            "manifest": described(text(), "Paths and the keys of their files, as JSON; without one, the repository is built."),
            "branch": text(),
            "commit_hash": text(),
            "commit_message": text(),
            "commit_dirty": text(),
            "pages_build_output_dir": text(),
            "wrangler_config_hash": text(),
            "_headers": file(),
            "_redirects": file(),
            "_routes.json": file(),
            "_worker.js": file(),
            "_worker.bundle": file(),
            "functions-filepath-routing-config.json": file(),
        })),
        "NewBuildOfBranch": settings(&[("branch", branch())]),
        "TailFilters": { "type": "array", "items": filter },
        "TailRequest": settings(&[("filters", reference("TailFilters"))]),
        "AssetKeys": object(&["hashes"], json!({ "hashes": list(&key) })),
        "AssetUploads": { "type": "array", "items": encoded_or_not(&["key", "value", "metadata", "base64"], &json!({
            "key": key,
            "metadata": object(&["contentType"], json!({ "contentType": text() })),
        })) },
    }))
}

fn sources() -> Map<String, Value> {
    let name = || patterned("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,60}$");
    let url = || {
        patterned(
            r"^(https?|ssh)://[a-z][a-z0-9]*(\.[a-z][a-z0-9]*)*/[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*(\.git)?$",
        )
    };
    let mut config = vec![
        ("owner_id", text()),
        ("repo_id", text()),
        ("production_branch", branch()),
        ("pr_comments_enabled", flag()),
        ("deployments_enabled", flag()),
        ("production_deployments_enabled", flag()),
        ("preview_deployment_setting", words(&["all", "none", "custom"])),
        ("preview_branch_includes", list(&text())),
        ("preview_branch_excludes", list(&text())),
        ("path_includes", list(&text())),
        ("path_excludes", list(&text())),
        ("api_url", patterned(r"^https?://[a-z][a-z0-9]*(\.[a-z][a-z0-9]*)*(/[A-Za-z0-9_]+)*$")),
        ("submodules", flag()),
        ("lfs", flag()),
        ("poll", flag()),
    ];
    let with = |required: &[&str], more: &[(&str, Value)], config: &[(&str, Value)]| {
        let mut schema = settings(config);
        for (name, value) in more {
            schema["properties"][*name] = value.clone();
        }
        schema["required"] = json!(required);
        schema
    };
    let hub = with(&["owner", "repo_name"], &[("owner", name()), ("repo_name", name())], &config);
    let other = with(&["clone_url"], &[("clone_url", url())], &config);
    config.retain(|(name, _)| !["owner_id", "repo_id"].contains(name));
    config.extend([("owner", text()), ("repo_name", text()), ("clone_url", url())]);
    let kinds = ["github", "gitlab", "forgejo", "gitea", "git"];
    let (hubs, others) = kinds.split_at(2);
    members(json!({
        "NewSource": { "oneOf": [
            object(&["type", "config"], json!({ "type": words(hubs), "config": hub })),
            object(&["type", "config"], json!({ "type": words(others), "config": other })),
        ] },
        "RepositoryChange": settings(&[("type", words(&kinds)), ("config", settings(&config))]),
        "SourceChange": settings(&[
            ("webhook_secret", json!({ "type": "string", "pattern": VISIBLE, "minLength": 16, "maxLength": 1024 })),
            ("token", json!({ "type": "string", "pattern": VISIBLE, "maxLength": 4096 })),
            ("ssh_key", described(patterned("^-----BEGIN [A-Z ]+ PRIVATE KEY-----\\n[ -~\\n]*$"), "64 KiB at the most.")),
            ("known_hosts", described(patterned("^[!-~]([ -~]*[!-~])?$"), "64 KiB at the most.")),
        ]),
        "NewDeployHook": object(&["name", "branch"], json!({
            "name": described(patterned(PLAIN), "255 bytes at the most."),
            "branch": branch(),
        })),
        "Approval": object(&["commit_hash"], json!({ "commit_hash": patterned(COMMIT) })),
    }))
}

fn resources() -> Map<String, Value> {
    let key = || {
        let about = "1 to 512 bytes; neither `.` nor `..`.";
        described(json!({ "type": "string", "minLength": 1, "not": { "enum": [".", ".."] } }), about)
    };
    let seconds = or_null(&json!({ "type": "integer", "minimum": 60 }));
    let parameter = json!({ "type": ["string", "number", "boolean", "null"] });
    let bytes = list(&whole_number(0, 255));
    let query = object(
        &["sql"],
        json!({
            "sql": text(),
            "params": or_null(&list(&json!({ "anyOf": [parameter, bytes] }))),
        }),
    );
    members(json!({
        "KvTitle": object(&["title"], json!({ "title": described(patterned(PLAIN), "1 to 512 bytes.") })),
        "KvForm": object(&["value"], json!({ "value": text(), "metadata": described(json!({ "type": "object" }), "JSON, of any kind.") })),
        "KvPairs": { "type": "array", "minItems": 1, "maxItems": 10_000, "items": encoded_or_not(&["key", "value"], &json!({
            "key": key(),
            "metadata": { "description": "Any JSON, 1024 bytes at the most." },
            "expiration_ttl": seconds,
        })) },
        "KvKeys": { "type": "array", "minItems": 1, "maxItems": 10_000, "items": { "anyOf": [
            key(),
            object(&["name"], json!({ "name": key() })),
        ] } },
        "KvBulkGet": object(&["keys"], json!({
            "keys": { "type": "array", "minItems": 1, "maxItems": 100, "items": key() },
            "type": or_null(&words(&["text", "json"])),
            "withMetadata": or_null(&flag()),
        })),
        "NewD1Database": object(&["name"], json!({ "name": patterned("^[A-Za-z0-9_-]{1,64}$") })),
        "D1Queries": { "anyOf": [
            query,
            { "type": "array", "items": query, "maxItems": 10_000 },
            object(&["batch"], json!({ "batch": { "type": "array", "items": query, "maxItems": 10_000 } })),
        ] },
        "D1Import": { "oneOf": [
            object(&["action", "etag"], json!({ "action": words(&["init", "ingest"]), "etag": patterned(MD5) })),
            object(&["action", "current_bookmark"], json!({ "action": words(&["poll"]), "current_bookmark": text() })),
        ] },
        "D1Export": settings(&[("dump_options", settings(&[
            ("no_schema", flag()),
            ("no_data", flag()),
            ("tables", list(&text())),
        ]))]),
        "GraphqlQuestion": object(&["query", "variables"], json!({
            "query": text(),
            "operationName": or_null(&text()),
            "variables": { "type": "object" },
        })),
        "NewR2Bucket": object(&["name"], json!({ "name": patterned("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$") })),
    }))
}
