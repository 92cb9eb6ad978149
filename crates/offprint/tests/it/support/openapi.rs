//! Checks every answer against the published OpenAPI description of the Pages API.
//!
//! The description is OpenAPI 3.0, whose `nullable` JSON Schema does not know; it is translated once per
//! process. Where the real service differs from its own description we follow the service: those places
//! are [`DEVIATIONS`], and nothing else may differ.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::{Value, json};

/// A change to the description: why, the schema it is for, and the edit.
type Deviation = (&'static str, &'static str, fn(&mut Value));

/// The places where the real service differs from its description.
const DEVIATIONS: &[Deviation] = &[
    ("a direct upload has no `source`", "pages_deployment", |schema| {
        schema["required"].as_array_mut().unwrap().retain(|name| name != "source");
    }),
    ("a project without deployments has null for the live one", "pages_project", |schema| {
        or_null(&mut schema["properties"]["canonical_deployment"]);
    }),
    ("a project without deployments has null for the newest one", "pages_project", |schema| {
        or_null(&mut schema["properties"]["latest_deployment"]);
    }),
    ("pushes at other forges than GitHub are triggers of their own", "pages_deployment", |schema| {
        let kinds = &mut schema["properties"]["deployment_trigger"]["properties"]["type"]["enum"];
        let more = ["gitlab:push", "forgejo:push", "gitea:push", "git:push"].map(Value::from);
        kinds.as_array_mut().unwrap().extend(more);
    }),
    ("repositories may be elsewhere than at GitHub and GitLab", "pages_source", |schema| {
        let kinds = schema["properties"]["type"]["enum"].as_array_mut().unwrap();
        kinds.extend(["forgejo", "gitea", "git"].map(Value::from));
    }),
    // `minLength` says nothing about an array; what is meant is that a failure has a reason.
    ("a failure names at least one error", "pages_api-response-common-failure", |schema| {
        schema["properties"]["errors"]["minItems"] = json!(1);
    }),
];

/// One operation of the description.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Operation {
    /// Upper case.
    pub(crate) method: String,
    /// With its placeholders: `/accounts/{account_id}/pages/projects`.
    pub(crate) path: String,
    /// A token that may only read is not enough.
    pub(crate) needs_write: bool,
}

/// Every operation of the description.
pub(crate) fn operations() -> Vec<Operation> {
    description().answers.keys().cloned().collect()
}

/// Checks an answer to a call of a path below `/client/v4`.
///
/// Calls that the description does not have (`/user`, unknown paths) are only checked to be an envelope.
pub(crate) fn check(method: &str, path: &str, status: u16, body: &[u8]) -> Result<(), String> {
    if (200..=299).contains(&status) && has_no_envelope(method, path) {
        return Ok(());
    }
    let description = description();
    let answer: Value = serde_json::from_slice(body).map_err(|_| {
        let start = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
        format!("not JSON: {start}")
    })?;
    let schema = match status {
        200..=299 => description.answer_of(method, path),
        _ => &description.failure,
    };
    let problems: Vec<String> = schema
        .iter_errors(&answer)
        .map(|error| format!("at {}: {error}", error.instance_path))
        .take(5)
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// Answers that are a value, an object or an export itself, or in another API's form.
fn has_no_envelope(method: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    let one = |collection: &str| path.split_once(collection).is_some_and(|(_, key)| !key.is_empty());
    let value = path.contains("/storage/kv/") && one("/values/");
    let object = path.contains("/r2/buckets/") && one("/objects/");
    method == "GET" && (value || object || path.starts_with("/d1/exports/")) || path == "/graphql"
}

/// The operations for what bindings lead to, which the description does not have.
pub(crate) fn resource_operations() -> Vec<Operation> {
    const KV: &str = "/accounts/{account_id}/storage/kv/namespaces";
    const D1: &str = "/accounts/{account_id}/d1/database";
    const R2: &str = "/accounts/{account_id}/r2/buckets";
    let table = [
        ("GET", KV, "", false),
        ("POST", KV, "", true),
        ("GET", KV, "/{namespace_id}", false),
        ("PUT", KV, "/{namespace_id}", true),
        ("GET", KV, "/{namespace_id}/keys", false),
        ("PUT", KV, "/{namespace_id}/values/{key_name}", true),
        ("GET", KV, "/{namespace_id}/values/{key_name}", false),
        ("GET", KV, "/{namespace_id}/metadata/{key_name}", false),
        ("DELETE", KV, "/{namespace_id}/values/{key_name}", true),
        ("PUT", KV, "/{namespace_id}/bulk", true),
        ("POST", KV, "/{namespace_id}/bulk/get", false),
        ("DELETE", KV, "/{namespace_id}/bulk", true),
        ("POST", KV, "/{namespace_id}/bulk/delete", true),
        ("DELETE", KV, "/{namespace_id}", true),
        ("GET", D1, "", false),
        ("POST", D1, "", true),
        ("GET", D1, "/{database_id}", false),
        ("POST", D1, "/{database_id}/query", true),
        ("POST", D1, "/{database_id}/raw", true),
        ("POST", D1, "/{database_id}/import", true),
        ("POST", D1, "/{database_id}/export", false),
        ("GET", D1, "/{database_id}/time_travel/bookmark", false),
        ("POST", D1, "/{database_id}/time_travel/restore", true),
        ("DELETE", D1, "/{database_id}", true),
        ("GET", R2, "", false),
        ("POST", R2, "", true),
        ("GET", R2, "/{bucket_name}", false),
        ("GET", R2, "/{bucket_name}/objects", false),
        ("PUT", R2, "/{bucket_name}/objects/{object_key}", true),
        ("GET", R2, "/{bucket_name}/objects/{object_key}", false),
        ("DELETE", R2, "/{bucket_name}/objects/{object_key}", true),
        ("DELETE", R2, "/{bucket_name}", true),
    ];
    let operation = |(method, base, rest, needs_write): (&str, &str, &str, bool)| Operation {
        method: method.into(),
        path: format!("{base}{rest}"),
        needs_write,
    };
    table.into_iter().map(operation).collect()
}

struct Description {
    answers: BTreeMap<Operation, Validator>,
    success: Validator,
    failure: Validator,
}

impl Description {
    fn answer_of(&self, method: &str, path: &str) -> &Validator {
        let path = path.split('?').next().unwrap_or(path);
        let found = self.answers.iter().find(|(operation, _)| operation.is(method, path));
        found.map_or(&self.success, |(_, validator)| validator)
    }
}

impl Operation {
    fn is(&self, method: &str, path: &str) -> bool {
        let fits = |(pattern, segment): (&str, &str)| pattern.starts_with('{') || pattern == segment;
        self.method == method
            && self.path.split('/').count() == path.split('/').count()
            && self.path.split('/').zip(path.split('/')).all(fits)
    }
}

fn description() -> &'static Description {
    static DESCRIPTION: OnceLock<Description> = OnceLock::new();
    DESCRIPTION.get_or_init(load)
}

fn load() -> Description {
    let file = super::testdata("cloudflare-pages.openapi.json");
    let mut document: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    translate(&mut document);
    for (_, schema, edit) in DEVIATIONS {
        edit(&mut document["components"]["schemas"][schema]);
    }
    let components = document["components"].take();
    let compile = |schema: &Value| {
        let whole = json!({ "allOf": [schema], "components": components });
        jsonschema::options().should_validate_formats(true).build(&whole).unwrap()
    };
    let envelope = |name: &str| compile(&json!({ "$ref": format!("#/components/schemas/{name}") }));
    let mut answers = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
            if schema.is_object() {
                let groups = operation["x-api-token-group"].as_array().unwrap();
                let needs_write = !groups.contains(&json!("Pages Read"));
                let operation = Operation { method: method.to_uppercase(), path: path.clone(), needs_write };
                answers.insert(operation, compile(schema));
            }
        }
    }
    Description {
        answers,
        success: envelope("pages_api-response-common"),
        failure: envelope("pages_api-response-common-failure"),
    }
}

/// Rewrites OpenAPI's `nullable` into JSON Schema, and drops examples, which are not schemas.
fn translate(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(translate),
        Value::Object(members) => {
            members.remove("example");
            members.values_mut().for_each(translate);
            if members.get("nullable") == Some(&Value::Bool(true)) {
                allow_null(value);
            }
        }
        _ => {}
    }
}

fn allow_null(schema: &mut Value) {
    if let Some(kind) = schema.get("type").and_then(Value::as_str) {
        schema["type"] = json!([kind, "null"]);
    }
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut)
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

fn or_null(schema: &mut Value) {
    let inner = schema.take();
    *schema = json!({ "anyOf": [inner, { "type": "null" }] });
}

#[test]
fn the_description_has_all_operations_of_the_reference() {
    assert_eq!(operations().len(), 24);
}

#[test]
fn a_wrong_answer_is_noticed() {
    let path = "/accounts/a/pages/projects/p/upload-token";
    let envelope = |result: Value| json!({ "success": true, "errors": [], "messages": [], "result": result });
    let checked = |answer: Value, status| check("GET", path, status, answer.to_string().as_bytes());
    assert_eq!(checked(envelope(json!({ "jwt": "x" })), 200), Ok(()));
    assert!(checked(envelope(json!({ "jwt": 1 })), 200).is_err());
    assert!(checked(envelope(json!({})), 200).is_err());
    assert!(checked(envelope(json!({ "jwt": "x" })), 404).is_err());
    let failure =
        |errors: Value| json!({ "success": false, "errors": errors, "messages": [], "result": null });
    assert_eq!(checked(failure(json!([{ "code": 8_000_007, "message": "no" }])), 404), Ok(()));
    assert!(checked(failure(json!([])), 404).is_err());
    assert!(checked(failure(json!([{ "code": 7, "message": "no" }])), 404).is_err());
}
