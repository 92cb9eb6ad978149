//! Every change through either API leaves an event that says what, who, and from where.
//!
//! The table of calls is compared with the published description, so a new operation fails here until it is in it.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ACCOUNT, Deploys, Published, Site, TOKEN, TestServer, id, project, projects};

/// Operations that change nothing by themselves, or whose effect is no matter of an audit, by why that is so.
const SILENT: &[(&str, &[&str])] = &[
    (
        "they only read",
        &["POST /client/v4/graphql", "POST {kv}/{namespace_id}/bulk/get", "POST {d1}/{database_id}/export"],
    ),
    ("they are refused", &["POST {d1}/{database_id}/time_travel/restore"]),
    (
        "files are stored under their hashes, and mean nothing until a deployment names them",
        &[
            "POST /client/v4/pages/assets/check-missing",
            "POST /client/v4/pages/assets/upload",
            "POST /client/v4/pages/assets/upsert-hashes",
        ],
    ),
    (
        "a tail is a wish to listen, and changes nothing",
        &[
            "POST {project}/deployments/{deployment_id}/tails",
            "DELETE {project}/deployments/{deployment_id}/tails/{tail_id}",
        ],
    ),
    (
        "what is in a namespace, a database or a bucket is data: Functions write it a thousand times a second",
        &[
            "PUT {kv}/{namespace_id}/values/{key_name}",
            "DELETE {kv}/{namespace_id}/values/{key_name}",
            "PUT {kv}/{namespace_id}/bulk",
            "DELETE {kv}/{namespace_id}/bulk",
            "POST {kv}/{namespace_id}/bulk/delete",
            "POST {d1}/{database_id}/query",
            "POST {d1}/{database_id}/raw",
            "POST {d1}/{database_id}/import",
            "PUT /client/v4/d1/imports/{token}",
            "PUT {r2}/{bucket_name}/objects/{object_key}",
            "DELETE {r2}/{bucket_name}/objects/{object_key}",
        ],
    ),
];

/// An operation as the description has it, with the long beginnings of paths abbreviated.
fn short(method: &str, path: &str) -> String {
    let path = path
        .replace("/client/v4/accounts/{account_id}/pages/projects/{project_name}", "{project}")
        .replace("/client/v4/accounts/{account_id}/storage/kv/namespaces", "{kv}")
        .replace("/client/v4/accounts/{account_id}/d1/database", "{d1}")
        .replace("/client/v4/accounts/{account_id}/r2/buckets", "{r2}");
    format!("{method} {path}")
}

/// Who makes calls, and looks for what they leave behind.
struct Auditor<'a> {
    server: &'a TestServer,
    api: Deploys,
    http: reqwest::Client,
    seen: BTreeSet<String>,
}

impl Auditor<'_> {
    /// Makes a call of an operation, in which `{name}`s are replaced, and checks that it leaves this event.
    async fn leaves(&mut self, kind: &str, operation: &str, path: &str, body: Value) -> Value {
        let before = self.events(kind).await;
        let (method, _) = operation.split_once(' ').unwrap();
        let method: Method = method.parse().unwrap();
        let answer = self.call(method, path, body).await;
        assert!(self.seen.insert(operation.to_owned()), "{operation} is in the table twice");
        let after = self.events(kind).await;
        assert!(after.len() > before.len(), "{operation} leaves no {kind}: {answer}");
        let data = &after[0]["data"];
        let via = if operation.contains("/api/") { "deploys" } else { "pages" };
        assert_eq!((&data["via"], &data["address"]), (&json!(via), &json!("127.0.0.1")), "{}", after[0]);
        let who = !path.starts_with("/client/v4/pages/webhooks/");
        assert_eq!(after[0]["userId"].is_string(), who, "{}", after[0]);
        answer
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.http.request(method.clone(), format!("{}{path}", self.server.origin()));
        let request =
            if path.starts_with("/client/v4/pages/webhooks/") { request } else { request.bearer_auth(TOKEN) };
        let response = request.json(&body).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{method} {path} -> {status}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The events of a kind, newest first.
    async fn events(&self, kind: &str) -> Vec<Value> {
        self.api.get(&format!("/events?type={kind}")).await.ok()["data"].as_array().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_leaves_an_event_that_says_who_and_from_where() {
    let server = TestServer::start_with(&[("OFFPRINT_BUILDER", "process")]).await;
    let api = server.deploys().await;
    let http = reqwest::Client::new();
    let mut auditor = Auditor { server: &server, api, http: http.clone(), seen: BTreeSet::new() };
    tokens_and_resources(&mut auditor).await;
    projects_and_deployments(&mut auditor).await;
    repositories(&mut auditor).await;
    apps_and_versions(&mut auditor).await;
    builds_and_deploys(&mut auditor).await;
    keys_and_webhooks(&mut auditor).await;

    let published = Published::of(&http, &server.origin()).await;
    let changing = published.operations("").into_iter().filter(|(method, _)| method != "GET");
    let described: BTreeSet<String> = changing.map(|(method, path)| short(&method, &path)).collect();
    let silent = SILENT.iter().flat_map(|(_, operations)| operations.iter()).map(|text| (*text).to_owned());
    let known: BTreeSet<String> = auditor.seen.iter().cloned().chain(silent).collect();
    assert_eq!(known, described);
}

async fn tokens_and_resources(auditor: &mut Auditor<'_>) {
    let account = format!("/client/v4/accounts/{ACCOUNT}");
    let token = json!({ "name": "t", "policies": [{ "permission_groups": [{ "name": "Pages Read" }] }] });
    let made = auditor
        .leaves(
            "api_key.created",
            "POST /client/v4/accounts/{account_id}/tokens",
            &format!("{account}/tokens"),
            token,
        )
        .await;
    let path = format!("{account}/tokens/{}", id(&made["result"]));
    auditor
        .leaves(
            "api_key.revoked",
            "DELETE /client/v4/accounts/{account_id}/tokens/{token_id}",
            &path,
            json!({}),
        )
        .await;
    let kv = format!("{account}/storage/kv/namespaces");
    let made = auditor.leaves("kv_namespace.created", "POST {kv}", &kv, json!({ "title": "one" })).await;
    let path = format!("{kv}/{}", id(&made["result"]));
    let two = json!({ "title": "two" });
    auditor.leaves("kv_namespace.renamed", "PUT {kv}/{namespace_id}", &path, two).await;
    auditor.leaves("kv_namespace.deleted", "DELETE {kv}/{namespace_id}", &path, json!({})).await;
    let d1 = format!("{account}/d1/database");
    auditor.leaves("d1_database.created", "POST {d1}", &d1, json!({ "name": "one" })).await;
    auditor.leaves("d1_database.deleted", "DELETE {d1}/{database_id}", &format!("{d1}/one"), json!({})).await;
    let r2 = format!("{account}/r2/buckets");
    auditor.leaves("r2_bucket.created", "POST {r2}", &r2, json!({ "name": "one" })).await;
    auditor.leaves("r2_bucket.deleted", "DELETE {r2}/{bucket_name}", &format!("{r2}/one"), json!({})).await;
}

async fn projects_and_deployments(auditor: &mut Auditor<'_>) {
    let v4 = |path: String| format!("/client/v4{path}");
    let new = json!({ "name": "demo", "production_branch": "main" });
    let operation = "POST /client/v4/accounts/{account_id}/pages/projects";
    auditor.leaves("app.created", operation, &v4(projects()), new).await;
    let at = |rest: &str| v4(project("demo", rest));
    let change = json!({ "production_branch": "main" });
    auditor.leaves("app.updated", "PATCH {project}", &at(""), change).await;
    auditor
        .leaves(
            "build_cache.purged",
            "POST {project}/purge_build_cache",
            &at("/purge_build_cache"),
            json!({}),
        )
        .await;
    let name = json!({ "name": "www.example.com" });
    auditor.leaves("domain.added", "POST {project}/domains", &at("/domains"), name).await;
    let path = at("/domains/www.example.com");
    auditor.leaves("domain.checked", "PATCH {project}/domains/{domain_name}", &path, json!({})).await;
    auditor.leaves("domain.removed", "DELETE {project}/domains/{domain_name}", &path, json!({})).await;

    let (pages, before) = (auditor.server.api(), auditor.events("deploy.created").await.len());
    let first = Site::page("one").deploy(&pages, "demo").await;
    let second = Site::page("two").deploy(&pages, "demo").await;
    assert_eq!(auditor.events("deploy.created").await.len(), before + 2);
    auditor.seen.insert("POST {project}/deployments".to_owned());
    let one = |deployment: &Value, rest: &str| at(&format!("/deployments/{}{rest}", id(deployment)));
    let (retry, rollback) = (one(&first, "/retry"), one(&second, "/rollback"));
    let operation = |rest: &str| format!("POST {{project}}/deployments/{{deployment_id}}/{rest}");
    auditor.leaves("deploy.created", &operation("retry"), &retry, json!({})).await;
    auditor.leaves("deploy.created", &operation("rollback"), &rollback, json!({})).await;
    let path = one(&first, "");
    auditor
        .leaves("deployment.deleted", "DELETE {project}/deployments/{deployment_id}", &path, json!({}))
        .await;
    let new = json!({ "name": "gone", "production_branch": "main" });
    auditor.call(Method::POST, &v4(projects()), new).await;
    auditor.leaves("app.removed", "DELETE {project}", &v4(project("gone", "")), json!({})).await;
}

async fn repositories(auditor: &mut Auditor<'_>) {
    // Nobody listens there: what is built ends, or is stopped before.
    let config =
        json!({ "clone_url": "http://127.0.0.1:1/cedar/site.git", "owner": "cedar", "repo_name": "site" });
    let new = json!({ "name": "built", "production_branch": "main", "source": { "type": "forgejo", "config": config } });
    auditor.call(Method::POST, &format!("/client/v4{}", projects()), new).await;
    let at = |rest: &str| format!("/client/v4{}", project("built", rest));
    let token = json!({ "token": "forge-token" });
    auditor.leaves("source_credentials.updated", "PATCH {project}/source", &at("/source"), token).await;
    let path = at("/source/webhook_secret");
    let access = auditor
        .leaves("source_credentials.updated", "POST {project}/source/webhook_secret", &path, json!({}))
        .await;
    let hook = json!({ "name": "nightly", "branch": "main" });
    let made = auditor
        .leaves("deploy_hook.created", "POST {project}/deploy_hooks", &at("/deploy_hooks"), hook)
        .await;
    let call = format!("/client/v4/pages/webhooks/deploy_hooks/{}", id(&made["result"]));
    let operation = "POST /client/v4/pages/webhooks/deploy_hooks/{hook_id}";
    auditor.leaves("deploy_hook.called", operation, &call, json!({})).await;
    let path = at(&format!("/deploy_hooks/{}", id(&made["result"])));
    auditor.leaves("deploy_hook.deleted", "DELETE {project}/deploy_hooks/{hook_id}", &path, json!({})).await;

    let secret = access["result"]["webhook_secret"].as_str().unwrap();
    let url = access["result"]["webhook_url"].as_str().unwrap();
    let before = auditor.events("pull_request.updated").await.len();
    crate::webhooks::tell_of_fork(auditor.server, url.split_once("/client/v4").unwrap().1, secret).await;
    let events = auditor.events("pull_request.updated").await;
    assert_eq!((events.len(), &events[0]["data"]["address"]), (before + 1, &json!("127.0.0.1")));
    auditor.seen.insert("POST /client/v4/pages/webhooks/git/{project_id}".to_owned());
    let (number, commit) = (events[0]["data"]["number"].as_str().unwrap(), &events[0]["data"]["commit"]);
    let path = at(&format!("/pull_requests/{number}/approve"));
    let operation = "POST {project}/pull_requests/{number}/approve";
    let approval = json!({ "commit_hash": commit });
    let made = auditor.leaves("pull_request.approved", operation, &path, approval).await;
    stopped(auditor, &at(&format!("/deployments/{}/cancel", id(&made["result"])))).await;
}

/// Stops a deployment, which may have ended by then: another is made until one can be stopped.
async fn stopped(auditor: &mut Auditor<'_>, first: &str) {
    let operation = "POST {project}/deployments/{deployment_id}/cancel";
    let mut path = first.to_owned();
    for _ in 0..50 {
        let url = format!("{}{path}", auditor.server.origin());
        let before = auditor.events("deploy.cancelled").await.len();
        if auditor.http.post(url).bearer_auth(TOKEN).send().await.unwrap().status().is_success() {
            let events = auditor.events("deploy.cancelled").await;
            assert_eq!(events.len(), before + 1);
            assert_eq!((&events[0]["data"]["via"], events[0]["userId"].is_string()), (&json!("pages"), true));
            auditor.seen.insert(operation.to_owned());
            return;
        }
        let deployments = format!("/client/v4{}", project("built", "/deployments"));
        let made = auditor.call(Method::POST, &deployments, json!({ "branch": "main" })).await;
        path = format!("{deployments}/{}/cancel", id(&made["result"]));
    }
    panic!("no deployment could be stopped");
}

async fn apps_and_versions(auditor: &mut Auditor<'_>) {
    let app = auditor.leaves("app.created", "POST /api/apps", "/api/apps", json!({ "name": "App" })).await;
    let path = format!("/api/apps/{}", id(&app));
    auditor.leaves("app.updated", "PATCH /api/apps/{id}", &path, json!({ "description": "x" })).await;
    auditor.leaves("app.deleted", "DELETE /api/apps/{id}", &path, json!({})).await;
    auditor
        .leaves("app.restored", "POST /api/apps/{id}/restore", &format!("{path}/restore"), json!({}))
        .await;
    let new = json!({ "appId": app["id"], "name": "first" });
    let version =
        auditor.leaves("app_version.created", "POST /api/app-versions", "/api/app-versions", new).await;
    let path = format!("/api/app-versions/{}", id(&version));
    let name = json!({ "name": "renamed" });
    auditor.leaves("app_version.updated", "PATCH /api/app-versions/{id}", &path, name).await;
    let (files, file) = (format!("{path}/files"), json!({ "path": "index.html", "content": "x" }));
    for (operation, path) in [
        ("POST /api/app-versions/{id}/files", files.clone()),
        ("PATCH /api/app-versions/{id}/files", files.clone()),
        ("DELETE /api/app-versions/{id}/files", format!("{files}?path=index.html")),
    ] {
        auditor.leaves("app_version.updated", operation, &path, file.clone()).await;
    }
    auditor.leaves("app_version.deleted", "DELETE /api/app-versions/{id}", &path, json!({})).await;
}

async fn builds_and_deploys(auditor: &mut Auditor<'_>) {
    let api = auditor.api.clone();
    let (_, version) = api.app("Runs", &[("index.html", "x")]).await;
    let new = json!({ "appVersionId": version });
    let build = auditor.leaves("build.created", "POST /api/builds", "/api/builds", new.clone()).await;
    api.ended(&format!("/builds/{}", id(&build))).await;
    let wish = json!({ "buildId": build["id"] });
    auditor.leaves("deploy.created", "POST /api/deploys", "/api/deploys", wish.clone()).await;
    for (kind, list, wish) in [("build", "/builds", new), ("deploy", "/deploys", wish)] {
        let kind = format!("{kind}.cancelled");
        for _ in 0..200 {
            let made = id(&api.post(list, wish.clone()).await.made());
            let cancelled = api.post(&format!("{list}/{made}/cancel"), json!({})).await;
            if cancelled.status == 200 {
                let events = auditor.events(&kind).await;
                assert_eq!(
                    (&events[0]["subjectId"], &events[0]["data"]["via"]),
                    (&json!(made), &json!("deploys"))
                );
                auditor.seen.insert(format!("POST /api{list}/{{id}}/cancel"));
                break;
            }
        }
    }
}

async fn keys_and_webhooks(auditor: &mut Auditor<'_>) {
    let new = json!({ "name": "robot", "permission": "read" });
    let key = auditor.leaves("api_key.created", "POST /api/api-keys", "/api/api-keys", new).await;
    let path = format!("/api/api-keys/{}", id(&key));
    auditor.leaves("api_key.revoked", "DELETE /api/api-keys/{id}", &path, json!({})).await;
    let hooks = "/api/webhook-subscriptions";
    let new = json!({ "name": "chat", "url": "https://example.com/hook", "filter": ["nothing"] });
    let hook = auditor.leaves("webhook.created", "POST /api/webhook-subscriptions", hooks, new).await;
    let path = format!("{hooks}/{}", id(&hook));
    let off = json!({ "enabled": false });
    auditor.leaves("webhook.updated", "PATCH /api/webhook-subscriptions/{id}", &path, off).await;
    let operation = "POST /api/webhook-subscriptions/{id}/test";
    auditor.leaves("webhook.test", operation, &format!("{path}/test"), json!({})).await;
    auditor.leaves("webhook.deleted", "DELETE /api/webhook-subscriptions/{id}", &path, json!({})).await;
}
