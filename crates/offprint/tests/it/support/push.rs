//! Webhooks as the forges send them: headers, signature, and the members of their payloads that tell a push or a
//! pull request from another, written after their documentation.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::{Answer, Api, Dialect};

const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// A webhook that was not sent yet.
pub(crate) struct Webhook {
    dialect: Dialect,
    event: &'static str,
    body: Value,
}

impl Webhook {
    /// A push of one commit to a branch of `octo/site`.
    pub(crate) fn push(dialect: Dialect, branch: &str, commit: &str, message: &str) -> Self {
        let change = json!({
            "id": commit, "message": message, "timestamp": "2026-11-22T10:00:00Z",
            "added": [], "removed": [], "modified": ["page.mustache"],
        });
        let common = json!({ "ref": format!("refs/heads/{branch}"), "before": NO_COMMIT, "after": commit });
        let rest = match dialect {
            Dialect::Github | Dialect::Forgejo => json!({
                "created": false, "deleted": false, "forced": false, "commits": [change], "head_commit": change,
                "repository": { "id": 4711, "name": "site", "full_name": "octo/site", "owner": { "login": "octo" } },
            }),
            Dialect::Gitlab => json!({
                "object_kind": "push", "event_name": "push", "checkout_sha": commit, "project_id": 4711,
                "commits": [change], "total_commits_count": 1,
                "project": { "id": 4711, "name": "site", "path_with_namespace": "octo/site" },
            }),
        };
        let event = if dialect == Dialect::Gitlab { "Push Hook" } else { "push" };
        Self { dialect, event, body: merged(common, rest) }
    }

    /// The pull request 7, from a branch of `octo/site` itself.
    pub(crate) fn pull_request(dialect: Dialect, branch: &str, commit: &str) -> Self {
        let repository = json!({ "id": 4711, "name": "site", "full_name": "octo/site", "fork": false, "owner": { "login": "octo" } });
        match dialect {
            Dialect::Github | Dialect::Forgejo => {
                let request = json!({
                    "id": 99, "number": 7, "title": "Try it", "state": "open", "merged": false,
                    "head": { "label": branch, "ref": branch, "sha": commit, "repo": repository, "repo_id": 4711 },
                    "base": { "label": "main", "ref": "main", "sha": NO_COMMIT, "repo": repository, "repo_id": 4711 },
                });
                let body = json!({ "action": "opened", "number": 7, "pull_request": request, "repository": repository });
                Self { dialect, event: "pull_request", body }
            }
            Dialect::Gitlab => {
                let attributes = json!({
                    "id": 99, "iid": 7, "title": "Try it", "state": "opened", "action": "open",
                    "source_branch": branch, "target_branch": "main",
                    "source_project_id": 4711, "target_project_id": 4711,
                    "last_commit": { "id": commit, "message": "x" },
                });
                let body = json!({
                    "object_kind": "merge_request", "event_type": "merge_request",
                    "object_attributes": attributes,
                    "project": { "id": 4711, "name": "site", "path_with_namespace": "octo/site" },
                });
                Self { dialect, event: "Merge Request Hook", body }
            }
        }
    }

    /// Sends it, signed with the secret, to the address that the source names.
    pub(crate) async fn send(&self, api: &Api, address: &str, secret: &str) -> Answer {
        static DELIVERIES: AtomicU64 = AtomicU64::new(1);
        let delivery = format!("00000000-0000-4000-8000-{:012x}", DELIVERIES.fetch_add(1, Ordering::Relaxed));
        let path = address.split_once("/client/v4").expect("an address of the API").1;
        let body = self.body.to_string();
        let call = api.post(path).body("application/json", body.clone());
        let call = match self.dialect {
            Dialect::Github => call
                .header("x-github-event", self.event)
                .header("x-github-delivery", &delivery)
                .header("x-hub-signature-256", &format!("sha256={}", signature(secret, &body))),
            Dialect::Gitlab => call
                .header("x-gitlab-event", self.event)
                .header("x-gitlab-event-uuid", &delivery)
                .header("x-gitlab-webhook-uuid", "77777777-0000-4000-8000-000000000000")
                .header("x-gitlab-token", secret),
            Dialect::Forgejo => call
                .header("x-forgejo-event", self.event)
                .header("x-forgejo-delivery", &delivery)
                .header("x-forgejo-signature", &signature(secret, &body)),
        };
        call.send().await
    }
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

/// HMAC-SHA256 in lower-case hex.
fn signature(secret: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::sign(&key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
