//! What becomes of the forges' webhooks, recorded in `testdata/webhooks` after their documentation: the same story at
//! GitHub, GitLab, Forgejo and Gitea.

mod pull_requests;
mod pushes;
mod refusals;

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use crate::support::{Answer, Api, TestServer, project, projects, testdata};

/// A forge, its projects' repository, and the secret of its webhooks.
struct Forge {
    api: Api,
    kind: &'static str,
    webhook: String,
    secret: String,
}

/// What is wrong with a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Secret,
    /// The delivery has an id that was used before.
    Delivery,
}

const KINDS: [&str; 4] = ["github", "gitlab", "forgejo", "gitea"];

/// A server with a project for each forge. Builds begin, and end at once: nobody listens where the repositories are
/// said to be.
async fn forges() -> (TestServer, Vec<Forge>) {
    let server = TestServer::start_with(&[("OFFPRINT_BUILDER", "process")]).await;
    let mut forges = Vec::new();
    for kind in KINDS {
        let config =
            json!({"clone_url": "http://127.0.0.1:1/cedar/site.git", "owner": "cedar", "repo_name": "site"});
        let source = json!({"type": kind, "config": config});
        let secret = json!({"type": "secret_text", "value": "hunter2"});
        let preview = json!({"env_vars": {"KEY": secret, "PLAIN": {"value": "1"}}});
        let body = json!({"name": kind, "production_branch": "main", "source": source,
            "deployment_configs": {"preview": preview}});
        let api = server.api();
        api.post(&projects()).json(&body).ok().await;
        let made = api.post(&project(kind, "/source/webhook_secret")).ok().await;
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        let webhook = text("webhook_url").split_once("/client/v4").unwrap().1.to_owned();
        forges.push(Forge { api: server.anon(), kind, webhook, secret: text("webhook_secret") });
    }
    (server, forges)
}

/// The header that comes with a fixture.
fn event_of(kind: &str, name: &str) -> &'static str {
    let pull_request = name.contains("pull_request") || name == "fork_deleted";
    match (kind, name) {
        ("gitlab", "tag") => "Tag Push Hook",
        ("gitlab", "other") => "Pipeline Hook",
        ("gitlab", _) if pull_request => "Merge Request Hook",
        ("gitlab", _) => "Push Hook",
        ("github", "other") => "ping",
        (_, "other") => "create",
        _ if pull_request => "pull_request",
        _ => "push",
    }
}

impl Forge {
    /// Sends a fixture.
    async fn send(&self, name: &str) -> Answer {
        let body = self.fixture(name);
        self.send_body(event_of(self.kind, name), &body, Wrong::Nothing).await
    }

    fn fixture(&self, name: &str) -> String {
        fs::read_to_string(testdata(&format!("webhooks/{}/{name}.json", self.kind))).unwrap()
    }

    /// Sends any body with the headers of the forge.
    async fn send_body(&self, event: &str, body: &str, wrong: Wrong) -> Answer {
        static DELIVERIES: AtomicU64 = AtomicU64::new(1);
        let number = match wrong {
            Wrong::Delivery => 0,
            Wrong::Nothing | Wrong::Secret => DELIVERIES.fetch_add(1, Ordering::Relaxed),
        };
        let delivery = format!("6f0a1c2e-0000-4000-8000-{number:012x}");
        let secret = if wrong == Wrong::Secret { "0123456789abcdef" } else { &self.secret };
        let signature = signature(secret, body);
        let prefixed = format!("sha256={signature}");
        let headers: &[(&str, &str)] = match self.kind {
            "github" => &[
                ("user-agent", "GitHub-Hookshot/044aadd"),
                ("x-github-event", event),
                ("x-github-delivery", &delivery),
                ("x-hub-signature-256", &prefixed),
            ],
            "gitlab" => &[
                ("user-agent", "GitLab/17.4.0"),
                ("x-gitlab-event", event),
                ("x-gitlab-event-uuid", &delivery),
                ("x-gitlab-token", secret),
            ],
            "forgejo" => &[
                ("x-forgejo-event", event),
                ("x-forgejo-delivery", &delivery),
                ("x-forgejo-signature", &signature),
                ("x-gitea-event", event),
                ("x-gitea-signature", &signature),
                ("x-github-event", event),
                ("x-hub-signature-256", &prefixed),
            ],
            _ => &[
                ("x-gitea-event", event),
                ("x-gitea-delivery", &delivery),
                ("x-gitea-signature", &signature),
                ("x-github-event", event),
                ("x-hub-signature-256", &prefixed),
            ],
        };
        let call = self.api.post(&self.webhook).body("application/json", body.to_owned());
        headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send().await
    }

    /// The deployments of the forge's project, newest first.
    async fn deployments(&self, server: &TestServer) -> Vec<Value> {
        let listed = server.api().get(&project(self.kind, "/deployments")).ok().await;
        listed.as_array().unwrap().clone()
    }

    /// Changes settings of the repository.
    async fn configure(&self, server: &TestServer, config: Value) {
        let body = json!({"source": {"type": self.kind, "config": config}});
        server.api().patch(&project(self.kind, "")).json(&body).ok().await;
    }
}

fn signature(secret: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::sign(&key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Has Forgejo tell a project, at the address of its webhooks, of a pull request from a fork.
pub(crate) async fn tell_of_fork(server: &TestServer, webhook: &str, secret: &str) {
    let forge = Forge { api: server.anon(), kind: "forgejo", webhook: webhook.into(), secret: secret.into() };
    forge.send("fork_pull_request").await.ok();
}
