//! The operations, in the order in which they are shown.

use offprint_model::listing::Entity;
use serde_json::{Value, json};

use super::schemas::{self, reference};

/// One operation.
pub(super) struct Operation {
    pub(super) method: &'static str,
    /// Below `/api`.
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Value>,
    pub(super) status: &'static str,
    pub(super) media_type: &'static str,
    pub(super) answer: Value,
}

impl Operation {
    /// The first part of the path.
    pub(super) fn tag(&self) -> &'static str {
        self.path.trim_start_matches('/').split('/').next().unwrap_or_default()
    }
}

type Words = (&'static str, &'static str, &'static str, &'static str);

fn operation((method, path, id, summary): Words, answer: Value) -> Operation {
    let (parameters, body) = (Vec::new(), None);
    Operation {
        method,
        path,
        id,
        summary,
        parameters,
        body,
        status: "200",
        media_type: "application/json",
        answer,
    }
}

fn list(entity: Entity, path: &'static str, id: &'static str) -> Operation {
    let parameters = schemas::list_parameters(entity);
    let answer = reference(&format!("{}Page", entity.name()));
    Operation { parameters, ..operation(("get", path, id, "A page of a list."), answer) }
}

fn create(words: Words, answer: &str, body: &str) -> Operation {
    let made = operation(words, reference(answer));
    Operation { status: "201", body: Some(reference(body)), ..made }
}

fn change(words: Words, answer: &str, body: &str) -> Operation {
    Operation { body: Some(reference(body)), ..operation(words, reference(answer)) }
}

fn stream(words: Words) -> Operation {
    Operation { media_type: "text/event-stream", ..operation(words, json!({ "type": "string" })) }
}

fn path_parameter(required: bool) -> Value {
    json!({ "name": "path", "in": "query", "required": required, "schema": { "type": "string" } })
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
        list(Entity::Workspace, "/workspaces", "listWorkspaces"),
        operation(("get", "/workspaces/{id}", "getWorkspace", "A workspace."), reference("Workspace")),
        stream(("get", "/workspaces/{id}/stream", "followWorkspace", "What happens, as server-sent events.")),
        list(Entity::App, "/apps", "listApps"),
        create(("post", "/apps", "createApp", "Make an app."), "App", "NewApp"),
        operation(("get", "/apps/{id}", "getApp", "An app, also a deleted one."), reference("App")),
        change(("patch", "/apps/{id}", "updateApp", "Change an app."), "App", "AppChange"),
        operation(
            ("delete", "/apps/{id}", "deleteApp", "Delete an app so that it can be restored."),
            reference("Success"),
        ),
        operation(("post", "/apps/{id}/restore", "restoreApp", "Restore a deleted app."), reference("App")),
        list(Entity::AppVersion, "/app-versions", "listAppVersions"),
        create(
            ("post", "/app-versions", "createAppVersion", "Make a version, empty or a fork."),
            "AppVersion",
            "NewAppVersion",
        ),
        operation(("get", "/app-versions/{id}", "getAppVersion", "A version."), reference("AppVersion")),
        change(
            ("patch", "/app-versions/{id}", "updateAppVersion", "Rename a version."),
            "AppVersion",
            "AppVersionChange",
        ),
        operation(
            ("delete", "/app-versions/{id}", "deleteAppVersion", "Delete a version and its files."),
            reference("Success"),
        ),
        Operation {
            parameters: vec![path_parameter(false)],
            ..operation(
                ("get", files, "readAppVersionFiles", "A file, or what is in a directory."),
                json!({ "oneOf": [reference("FileContent"), reference("FileList")] }),
            )
        },
        create(
            ("post", files, "createAppVersionFile", "Write a file that is not there."),
            "File",
            "FileChange",
        ),
        change(
            ("patch", files, "replaceAppVersionFile", "Write a file that is there."),
            "File",
            "FileChange",
        ),
        Operation {
            parameters: vec![path_parameter(true)],
            ..operation(("delete", files, "deleteAppVersionFile", "Remove a file."), reference("Success"))
        },
    ]
}

fn builds_and_deploys() -> Vec<Operation> {
    vec![
        list(Entity::Build, "/builds", "listBuilds"),
        create(("post", "/builds", "createBuild", "Build a version."), "Build", "NewBuild"),
        operation(
            ("get", "/builds/{id}", "getBuild", "A build with its steps."),
            reference("BuildWithSteps"),
        ),
        change(("post", "/builds/{id}/cancel", "cancelBuild", "Stop a build."), "Success", "Cancel"),
        list(Entity::Deploy, "/deploys", "listDeploys"),
        create(
            (
                "post",
                "/deploys",
                "createDeploy",
                "Deploy a build, or an app's latest; an earlier one rolls back.",
            ),
            "Deploy",
            "NewDeploy",
        ),
        operation(
            ("get", "/deploys/{id}", "getDeploy", "A deploy with its steps."),
            reference("DeployWithSteps"),
        ),
        change(
            ("post", "/deploys/{id}/cancel", "cancelDeploy", "Stop a deploy that is not live yet."),
            "Success",
            "Cancel",
        ),
        stream((
            "get",
            "/deploys/{id}/stream",
            "followDeploy",
            "A deploy's progress, as server-sent events.",
        )),
    ]
}

fn others() -> Vec<Operation> {
    vec![
        list(Entity::Event, "/events", "listEvents"),
        operation(("get", "/events/{id}", "getEvent", "An event."), reference("Event")),
        list(Entity::WebhookSubscription, "/webhook-subscriptions", "listWebhookSubscriptions"),
        create(
            (
                "post",
                "/webhook-subscriptions",
                "createWebhookSubscription",
                "Be told of events, by signed calls.",
            ),
            "WebhookSubscription",
            "NewWebhookSubscription",
        ),
        operation(
            ("get", "/webhook-subscriptions/{id}", "getWebhookSubscription", "A subscription."),
            reference("WebhookSubscription"),
        ),
        change(
            ("patch", "/webhook-subscriptions/{id}", "updateWebhookSubscription", "Change a subscription."),
            "WebhookSubscription",
            "WebhookSubscriptionChange",
        ),
        operation(
            ("delete", "/webhook-subscriptions/{id}", "deleteWebhookSubscription", "Remove a subscription."),
            reference("Success"),
        ),
        operation(
            (
                "post",
                "/webhook-subscriptions/{id}/test",
                "testWebhookSubscription",
                "Have it called with a test.",
            ),
            reference("Success"),
        ),
        list(Entity::ApiKey, "/api-keys", "listApiKeys"),
        create(
            ("post", "/api-keys", "createApiKey", "Make a key; its secret is shown this once."),
            "NewApiKeyWithSecret",
            "NewApiKey",
        ),
        operation(("get", "/api-keys/{id}", "getApiKey", "A key, without its secret."), reference("ApiKey")),
        operation(
            ("delete", "/api-keys/{id}", "revokeApiKey", "Make a key worthless."),
            reference("Success"),
        ),
    ]
}
