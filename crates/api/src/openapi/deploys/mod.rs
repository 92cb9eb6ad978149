//! The operations of the Deploys API.

mod bodies;
mod schemas;

use http::Method;
use offprint_model::listing::Entity;
use serde_json::{Value, json};

use super::operation::{Operation, Security};
use super::schema::{event_of_stream, reference, text};

pub(super) use schemas::all as schemas;

/// The sections of the page: the first part of the path.
pub(super) const TAGS: [(&str, &str); 7] = [
    ("workspaces", "Deploys API: the tenants. A workspace is an account of the Pages API."),
    ("apps", "Deploys API: sites. An app is a project of the Pages API."),
    ("app-versions", "Deploys API: snapshots of an app's files."),
    ("builds", "Deploys API: what makes content of a version or a repository."),
    ("deploys", "Deploys API: what publishes a build. A deploy is a deployment of the Pages API."),
    ("events", "Deploys API: who did what, and who is told of it."),
    ("api-keys", "Deploys API: who may call both APIs."),
];

type Words = (Method, &'static str, &'static str, &'static str);

fn bare((method, path, id, summary): Words) -> Operation {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let tag = if first == "webhook-subscriptions" { "events" } else { first };
    Operation::new(Security::Key, tag, (method, format!("/api{path}"), id, summary))
}

fn operation(words: Words, answer: Value) -> Operation {
    bare(words).answers(answer)
}

fn listed(entity: Entity, path: &'static str, id: &'static str) -> Operation {
    let answer = reference(&format!("{}Page", entity.name()));
    let list = operation((Method::GET, path, id, "A page of a list."), answer);
    schemas::list_parameters(entity).into_iter().fold(list, Operation::parameter)
}

fn create(words: Words, answer: &str, body: &str) -> Operation {
    operation(words, reference(answer)).with_status("201").takes(reference(body))
}

fn change(words: Words, answer: &str, body: &str) -> Operation {
    operation(words, reference(answer)).takes(reference(body))
}

/// A change of some members, which may be none.
fn patch(words: Words, answer: &str, body: &str) -> Operation {
    operation(words, reference(answer)).may_take(reference(body))
}

fn cancel(words: Words) -> Operation {
    operation(words, reference("Success")).may_take(reference("Cancel"))
}

fn stream(words: Words) -> Operation {
    bare(words).answers_as("text/event-stream", event_of_stream())
}

/// The id of an event of a stream, with which a client goes on behind it.
fn last_event() -> Value {
    json!({
        "name": "Last-Event-ID", "in": "header", "required": false, "schema": text(),
        "description": "The id of the last event of the stream that was seen.",
    })
}

fn path_parameter(required: bool, schema: Value) -> Value {
    json!({ "name": "path", "in": "query", "required": required, "schema": schema })
}

/// All operations.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = apps();
    all.extend(builds_and_deploys());
    all.extend(others());
    all
}

fn apps() -> Vec<Operation> {
    let files = "/app-versions/{id}/files";
    vec![
        listed(Entity::Workspace, "/workspaces", "listWorkspaces"),
        operation((Method::GET, "/workspaces/{id}", "getWorkspace", "A workspace."), reference("Workspace")),
        stream((
            Method::GET,
            "/workspaces/{id}/stream",
            "followWorkspace",
            "What happens, as server-sent events.",
        ))
        .parameter(last_event()),
        listed(Entity::App, "/apps", "listApps"),
        create((Method::POST, "/apps", "createApp", "Make an app."), "App", "NewApp"),
        operation((Method::GET, "/apps/{id}", "getApp", "An app, also a deleted one."), reference("App")),
        patch((Method::PATCH, "/apps/{id}", "updateApp", "Change an app."), "App", "AppChange"),
        operation(
            (Method::DELETE, "/apps/{id}", "deleteApp", "Delete an app so that it can be restored."),
            reference("Success"),
        ),
        operation(
            (Method::POST, "/apps/{id}/restore", "restoreApp", "Restore a deleted app."),
            reference("App"),
        ),
        listed(Entity::AppVersion, "/app-versions", "listAppVersions"),
        create(
            (Method::POST, "/app-versions", "createAppVersion", "Make a version, empty or a fork."),
            "AppVersion",
            "NewAppVersion",
        ),
        operation(
            (Method::GET, "/app-versions/{id}", "getAppVersion", "A version."),
            reference("AppVersion"),
        ),
        change(
            (Method::PATCH, "/app-versions/{id}", "updateAppVersion", "Rename a version."),
            "AppVersion",
            "AppVersionChange",
        ),
        operation(
            (Method::DELETE, "/app-versions/{id}", "deleteAppVersion", "Delete a version and its files."),
            reference("Success"),
        ),
        operation(
            (Method::GET, files, "readAppVersionFiles", "A file, or what is in a directory."),
            json!({ "oneOf": [reference("FileContent"), reference("FileList")] }),
        )
        .parameter(path_parameter(false, text())),
        create(
            (Method::POST, files, "createAppVersionFile", "Write a file that is not there."),
            "File",
            "FileChange",
        ),
        change(
            (Method::PATCH, files, "replaceAppVersionFile", "Write a file that is there."),
            "File",
            "FileChange",
        ),
        operation((Method::DELETE, files, "deleteAppVersionFile", "Remove a file."), reference("Success"))
            .parameter(path_parameter(true, bodies::file_path())),
    ]
}

fn builds_and_deploys() -> Vec<Operation> {
    vec![
        listed(Entity::Build, "/builds", "listBuilds"),
        create((Method::POST, "/builds", "createBuild", "Build a version."), "Build", "NewBuild"),
        operation(
            (Method::GET, "/builds/{id}", "getBuild", "A build with its steps."),
            reference("BuildWithSteps"),
        ),
        cancel((Method::POST, "/builds/{id}/cancel", "cancelBuild", "Stop a build.")),
        listed(Entity::Deploy, "/deploys", "listDeploys"),
        create(
            (
                Method::POST,
                "/deploys",
                "createDeploy",
                "Deploy a build, or an app's latest; an earlier one rolls back.",
            ),
            "Deploy",
            "NewDeploy",
        ),
        operation(
            (Method::GET, "/deploys/{id}", "getDeploy", "A deploy with its steps."),
            reference("DeployWithSteps"),
        ),
        cancel((Method::POST, "/deploys/{id}/cancel", "cancelDeploy", "Stop a deploy that is not live yet.")),
        stream((
            Method::GET,
            "/deploys/{id}/stream",
            "followDeploy",
            "A deploy's progress, as server-sent events.",
        )),
    ]
}

fn others() -> Vec<Operation> {
    vec![
        listed(Entity::Event, "/events", "listEvents"),
        operation((Method::GET, "/events/{id}", "getEvent", "An event."), reference("Event")),
        listed(Entity::WebhookSubscription, "/webhook-subscriptions", "listWebhookSubscriptions"),
        create(
            (
                Method::POST,
                "/webhook-subscriptions",
                "createWebhookSubscription",
                "Be told of events, by signed calls.",
            ),
            "WebhookSubscription",
            "NewWebhookSubscription",
        ),
        operation(
            (Method::GET, "/webhook-subscriptions/{id}", "getWebhookSubscription", "A subscription."),
            reference("WebhookSubscription"),
        ),
        patch(
            (
                Method::PATCH,
                "/webhook-subscriptions/{id}",
                "updateWebhookSubscription",
                "Change a subscription.",
            ),
            "WebhookSubscription",
            "WebhookSubscriptionChange",
        ),
        operation(
            (
                Method::DELETE,
                "/webhook-subscriptions/{id}",
                "deleteWebhookSubscription",
                "Remove a subscription.",
            ),
            reference("Success"),
        ),
        operation(
            (
                Method::POST,
                "/webhook-subscriptions/{id}/test",
                "testWebhookSubscription",
                "Have it called with a test.",
            ),
            reference("Success"),
        ),
        listed(Entity::ApiKey, "/api-keys", "listApiKeys"),
        create(
            (Method::POST, "/api-keys", "createApiKey", "Make a key; its secret is shown this once."),
            "NewApiKeyWithSecret",
            "NewApiKey",
        ),
        operation(
            (Method::GET, "/api-keys/{id}", "getApiKey", "A key, without its secret."),
            reference("ApiKey"),
        ),
        operation(
            (Method::DELETE, "/api-keys/{id}", "revokeApiKey", "Make a key worthless."),
            reference("Success"),
        ),
    ]
}
