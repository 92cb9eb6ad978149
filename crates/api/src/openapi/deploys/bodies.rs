//! Schemas of what is sent, member by member as the handlers read it: an optional member may be `null`.

use serde_json::{Map, Value, json};

use super::super::schema::{base64, closed, flag, line, list, members, or_null, patterned, text, words};

/// An address of HTTP: a host name or an IPv4 address, and whatever follows it.
const WEB_ADDRESS: &str = concat!(
    r"^https?://((([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9_-]*[a-zA-Z0-9])\.)*[a-zA-Z]([a-zA-Z0-9_-]*[a-zA-Z0-9])?",
    r"|([1-9]?[0-9]\.){3}[1-9]?[0-9])(:[0-9]{1,4})?(/[!-~]*)?$",
);
const HANDLE: &str = "^[a-z0-9]([a-z0-9-]{0,56}[a-z0-9])?$";
const VARIABLE: &str = "^[A-Za-z_][A-Za-z0-9_]{0,254}$";
pub(super) const WITHOUT_NUL: &str = r"^[^\u0000]*$";
/// Segments are not empty, `.` or `..`.
const FILE_PATH: &str = concat!(
    r"^/?([^/\\\u0000.]|\.[^/\\\u0000.]|\.\.[^/\\\u0000])[^/\\\u0000]*",
    r"(/([^/\\\u0000.]|\.[^/\\\u0000.]|\.\.[^/\\\u0000])[^/\\\u0000]*)*$",
);

/// All by name.
pub(super) fn sent() -> Map<String, Value> {
    let time = json!({ "type": "string", "format": "date-time", "description": "In the future." });
    members(json!({
        "NewApp": new_app(),
        "AppChange": closed(&[], json!(app())),
        "NewAppVersion": closed(&["appId"], json!({
            "appId": text(),
            "name": or_null(&line(100)),
            "parentId": or_null(&text()),
        })),
        "AppVersionChange": closed(&["name"], json!({ "name": line(100) })),
        "FileChange": file_change(),
        "NewBuild": closed(&["appVersionId"], json!({ "appVersionId": text() })),
        "NewDeploy": { "oneOf": [
            closed(&["buildId"], json!({ "buildId": text(), "appId": { "type": "null" } })),
            closed(&["appId"], json!({ "appId": text(), "buildId": { "type": "null" } })),
        ] },
        "Cancel": closed(&[], json!({ "reason": or_null(&line(500)) })),
        "NewApiKey": closed(&["name", "permission"], json!({
            "workspaceId": or_null(&text()),
            "name": line(100),
            "permission": words(&["read", "write"]),
            "appIds": or_null(&json!({ "type": "array", "items": text(), "minItems": 1, "maxItems": 100 })),
            "expiresAt": or_null(&time),
        })),
        "NewWebhookSubscription": new_webhook(),
        "WebhookSubscriptionChange": closed(&[], json!(webhook())),
    }))
}

fn app() -> Map<String, Value> {
    let variables = json!({
        "type": "object",
        "propertyNames": { "pattern": VARIABLE },
        "additionalProperties": { "type": "string", "pattern": WITHOUT_NUL, "maxLength": 5000 },
        "maxProperties": 100,
    });
    let command = json!({ "type": "string", "pattern": WITHOUT_NUL, "maxLength": 5000 });
    let config = closed(
        &[],
        json!({
            "nodeVersion": or_null(&line(50)),
            "env": or_null(&variables),
            "buildCommand": or_null(&command),
            "outputDirectory": or_null(&line(1000)),
            "rootDirectory": or_null(&line(1000)),
        }),
    );
    let target = json!({ "oneOf": [
        closed(&["type"], json!({ "type": { "const": "local" } })),
        closed(&["type", "baseUrl", "accountId", "projectName"], json!({
            "type": { "const": "pages" },
            "baseUrl": { "type": "string", "pattern": WEB_ADDRESS, "maxLength": 1000 },
            "accountId": line(100),
            "projectName": line(100),
            "apiToken": or_null(&line(500)),
        })),
    ] });
    members(json!({
        "name": or_null(&line(100)),
        "description": or_null(&json!({ "type": "string", "pattern": WITHOUT_NUL, "maxLength": 1000 })),
        "publicAccess": or_null(&flag()),
        "retentionTier": or_null(&words(&["short", "medium", "long", "none"])),
        "config": or_null(&config),
        "target": or_null(&target),
        "defaultVersionId": or_null(&text()),
    }))
}

fn new_app() -> Value {
    let mut new = app();
    new.insert("name".into(), line(100));
    new.insert("workspaceId".into(), or_null(&text()));
    let mut handle = or_null(&patterned(HANDLE));
    handle["description"] = json!("Part of its host name; made of the name where it is not given.");
    new.insert("handle".into(), handle);
    closed(&["name"], json!(new))
}

/// The path of a file in a version.
pub(super) fn file_path() -> Value {
    patterned(FILE_PATH)
}

fn file_change() -> Value {
    let path = file_path();
    let nothing = json!({ "type": "null" });
    json!({ "oneOf": [
        closed(&["path", "content"], json!({ "path": path, "content": text(), "contentBase64": nothing })),
        closed(&["path", "contentBase64"], json!({
            "path": path, "contentBase64": base64(), "content": nothing,
        })),
    ] })
}

fn webhook() -> Map<String, Value> {
    let mut types = list(&line(100));
    types["maxItems"] = json!(50);
    members(json!({
        "name": or_null(&line(100)),
        "url": or_null(&json!({ "type": "string", "pattern": WEB_ADDRESS, "maxLength": 1000 })),
        "secret": or_null(&line(200)),
        "filter": or_null(&types),
        "enabled": or_null(&flag()),
    }))
}

fn new_webhook() -> Value {
    let mut new = webhook();
    new.insert("name".into(), line(100));
    new.insert("url".into(), json!({ "type": "string", "pattern": WEB_ADDRESS, "maxLength": 1000 }));
    new.insert("workspaceId".into(), or_null(&text()));
    closed(&["name", "url"], json!(new))
}
