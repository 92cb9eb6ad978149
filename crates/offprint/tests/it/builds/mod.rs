//! Builds from git, with the real git, npm and sandbox: a push becomes a live site, or a log that says why not.

mod cache;
mod commands;
mod crash;
mod end_to_end;
mod feedback;
pub(crate) mod functions;
mod lifecycle;
mod order;
mod poll;
mod private;

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Api, Dialect, FORGE_TOKEN, FakeForge, GitServer, Repository, TestServer, Webhook, project, skip,
};

/// The project that most tests build.
const DEMO: &str = "demo";
/// Its own host.
const HOST: &str = "demo.pages.localhost";
/// How often a deployment is looked at until it ends: two minutes.
const LOOKS: usize = 2400;
const PAUSE: Duration = Duration::from_millis(50);

/// A server that builds, a git server, and perhaps a forge.
pub(crate) struct Ground {
    pub(crate) server: TestServer,
    pub(crate) api: Api,
    pub(crate) git: GitServer,
    forge: Option<FakeForge>,
}

impl Ground {
    /// A server that may reach the git server and the registry of npm, or `None` where tools are missing.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// The same with further `OFFPRINT_*` settings.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Option<Self> {
        let git = tools_are_there().then_some(GitServer::start().await)?;
        Some(Self::on(git, None, settings).await)
    }

    /// The same with a forge that wants to hear of the deployments.
    async fn with_forge(dialect: Dialect) -> Option<Self> {
        let git = tools_are_there().then_some(GitServer::start().await)?;
        let forge = FakeForge::start(dialect).await;
        Some(Self::on(git, Some(forge), &[]).await)
    }

    async fn on(git: GitServer, forge: Option<FakeForge>, settings: &[(&str, &str)]) -> Self {
        let mut allowed = format!("{},registry.npmjs.org", git.host());
        if let Some(forge) = &forge {
            allowed = format!("{allowed},{}", forge.host());
        }
        let settings = [&[("OFFPRINT_BUILD_ALLOW", allowed.as_str())], settings].concat();
        let server = TestServer::start_with(&settings).await;
        let api = server.api();
        Self { server, api, git, forge }
    }

    /// The forge.
    fn forge(&self) -> &FakeForge {
        self.forge.as_ref().expect("the test has a forge")
    }

    /// Connects the project `demo` to a repository; `build` is its `build_config`.
    pub(crate) async fn connect(&self, repository: &Repository, build: Value) -> Value {
        self.connect_with(repository, build, json!({})).await
    }

    /// The same with further members of `source.config`.
    async fn connect_with(&self, repository: &Repository, build: Value, more: Value) -> Value {
        let dialect = self.forge.as_ref().map_or(Dialect::Forgejo, FakeForge::dialect);
        let mut config = json!({ "owner": "octo", "repo_name": "site", "clone_url": repository.url });
        if let Some(forge) = &self.forge {
            config["api_url"] = forge.api_url().into();
        }
        if let (Value::Object(config), Value::Object(more)) = (&mut config, more) {
            config.extend(more);
        }
        let body = json!({
            "name": DEMO,
            "production_branch": "main",
            "build_config": build,
            "source": { "type": dialect.kind(), "config": config },
        });
        let made = self.api.post(&crate::support::projects()).json(&body).ok().await;
        if self.forge.is_some() {
            self.set_credentials(&json!({ "token": FORGE_TOKEN })).await;
        }
        made
    }

    /// Sets credentials of the repository.
    async fn set_credentials(&self, values: &Value) {
        self.api.patch(&project(DEMO, "/source")).json(values).ok().await;
    }

    /// Sends a webhook as the forge would, signed with a new secret; the answer's result.
    async fn hear(&self, webhook: &Webhook) -> Value {
        let access = self.api.get(&project(DEMO, "/source")).ok().await;
        let address = access["webhook_url"].as_str().expect("the webhook's address");
        let made = self.api.post(&project(DEMO, "/source/webhook_secret")).ok().await;
        let secret = made["webhook_secret"].as_str().expect("a new secret is shown");
        webhook.send(&self.server.anon(), address, secret).await.ok()
    }

    /// Pushes the repository's head to a branch, as its forge tells it; the deployment's id.
    pub(crate) async fn push(&self, repository: &Repository, branch: &str, message: &str) -> String {
        let commit = repository.branch(branch).commit(message);
        let dialect = self.forge.as_ref().map_or(Dialect::Forgejo, FakeForge::dialect);
        let heard = self.hear(&Webhook::push(dialect, branch, &commit, message)).await;
        heard["id"].as_str().unwrap_or_else(|| panic!("no deployment was made: {heard}")).to_owned()
    }

    /// A deployment as it is now.
    async fn deployment(&self, id: &str) -> Value {
        self.api.get(&project(DEMO, &format!("/deployments/{id}"))).ok().await
    }

    /// Waits until a deployment has ended, well or badly.
    async fn ended(&self, id: &str) -> Value {
        for _ in 0..LOOKS {
            let deployment = self.deployment(id).await;
            if has_ended(&deployment) {
                return deployment;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("deployment {id} does not end: {}\n{}", self.deployment(id).await, self.log(id).await);
    }

    /// Waits until a deployment is live.
    pub(crate) async fn live(&self, id: &str) -> Value {
        let ended = self.ended(id).await;
        assert!(is_live(&ended), "{ended}\n{}", self.log(id).await);
        ended
    }

    /// Waits until a deployment has failed; its log.
    async fn failed(&self, id: &str, stage: &str) -> String {
        let (ended, log) = (self.ended(id).await, self.log(id).await);
        assert_eq!(stages(&ended)[stage], "failure", "{ended}\n{log}");
        log
    }

    /// The lines of a deployment's log.
    async fn log(&self, id: &str) -> String {
        let log = self.api.get(&project(DEMO, &format!("/deployments/{id}/history/logs"))).ok().await;
        let lines = log["data"].as_array().unwrap().iter().map(|line| line["line"].as_str().unwrap());
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Whether nothing will change any more.
fn has_ended(deployment: &Value) -> bool {
    let stage = &deployment["latest_stage"];
    deployment["is_skipped"] == true
        || ["failure", "canceled"].iter().any(|status| stage["status"] == *status)
        || is_live(deployment)
}

fn is_live(deployment: &Value) -> bool {
    let stage = &deployment["latest_stage"];
    stage["name"] == "deploy" && stage["status"] == "success"
}

/// The status of each stage, by its name.
fn stages(deployment: &Value) -> Value {
    let all = deployment["stages"].as_array().expect("stages");
    all.iter().map(|stage| (stage["name"].as_str().unwrap().to_owned(), stage["status"].clone())).collect()
}

/// The processes of the machine whose command line has this text in it.
pub(crate) fn processes_with(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(text)).collect()
}

/// Waits until no process has this text in its command line.
pub(crate) async fn no_process_with(text: &str) {
    for _ in 0..200 {
        if processes_with(text).is_empty() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("left behind: {:?}", processes_with(text));
}

/// Whether the programs that builds need are installed; where not, the test is skipped, loudly.
fn tools_are_there() -> bool {
    let answers = |program: &str| {
        let mut command = Command::new(program);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let missing: Vec<_> = ["bwrap", "git", "npm", "node"].into_iter().filter(|tool| !answers(tool)).collect();
    if !missing.is_empty() {
        skip(&format!("{} not installed", missing.join(", ")));
    }
    missing.is_empty()
}

/// A repository that is one page.
pub(crate) fn page(git: &GitServer, text: &str) -> Repository {
    let repository = git.repository("site");
    repository.write("index.html", text);
    repository
}
