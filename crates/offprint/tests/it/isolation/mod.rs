//! Hostile repositories against the real server: what a build tries, and what its log says of it.
//!
//! Each test names a claim of docs/BUILD-ISOLATION.md. The walls themselves are tested more closely in
//! `crates/sandbox/tests`.

mod death;
mod limits;
mod network;
mod plain;
mod secrets;
mod sight;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Api, GitServer, TestServer, project, projects, skip};

/// How often a deployment is looked at until it ends: two minutes.
const LOOKS: usize = 2400;
const PAUSE: Duration = Duration::from_millis(50);

/// A server that builds, and a git server with hostile repositories.
struct Ground {
    server: TestServer,
    api: Api,
    git: GitServer,
}

/// How a build ended.
struct Built {
    deployment: Value,
    log: String,
}

impl Ground {
    /// `None` where the tools are missing.
    async fn start(settings: &[(&str, &str)]) -> Option<Self> {
        for tool in ["bwrap", "git"] {
            if std::process::Command::new(tool).arg("--version").output().is_err() {
                skip(&format!("{tool} is not installed"));
                return None;
            }
        }
        let git = GitServer::start().await;
        let allow = ("OFFPRINT_BUILD_ALLOW", &*git.host());
        let server = TestServer::start_with(&[&[allow], settings].concat()).await;
        Some(Self { api: server.api(), server, git })
    }

    /// Makes a project whose build command is a shell script; the id of its first deployment.
    async fn begin(&self, name: &str, script: &str) -> String {
        self.begin_with(name, script, json!({})).await
    }

    /// The same with variables.
    async fn begin_with(&self, name: &str, script: &str, variables: Value) -> String {
        let repository = self.git.repository(name);
        repository.write("index.html", "built").write("hostile.sh", script).commit("hostile");
        let body = json!({
            "name": name,
            "production_branch": "main",
            "build_config": { "build_command": "sh hostile.sh 2>&1", "destination_dir": "." },
            "deployment_configs": { "production": { "env_vars": variables } },
            "source": { "type": "git", "config": { "clone_url": repository.url } },
        });
        self.api.post(&projects()).json(&body).ok().await;
        let made = self.api.post(&project(name, "/deployments")).ok().await;
        made["id"].as_str().expect("a deployment is made").to_owned()
    }

    /// Waits for a build's end.
    async fn ended(&self, name: &str, id: &str) -> Built {
        for _ in 0..LOOKS {
            let deployment = self.api.get(&project(name, &format!("/deployments/{id}"))).ok().await;
            let stage = &deployment["latest_stage"];
            let status = stage["status"].as_str().unwrap_or_default();
            if matches!(status, "failure" | "canceled") || (stage["name"] == "deploy" && status == "success")
            {
                return Built { deployment, log: self.log(name, id).await };
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{name} does not end:\n{}\n{}", self.log(name, id).await, self.server.log());
    }

    async fn log(&self, name: &str, id: &str) -> String {
        let path = project(name, &format!("/deployments/{id}/history/logs"));
        let log = self.api.get(&path).ok().await;
        let lines = log["data"].as_array().unwrap().iter().map(|line| line["line"].as_str().unwrap());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Builds from beginning to end.
    async fn build(&self, name: &str, script: &str) -> Built {
        let id = self.begin(name, script).await;
        self.ended(name, &id).await
    }
}

impl Built {
    fn is_live(&self) -> bool {
        self.deployment["latest_stage"]["status"] == "success"
    }

    /// The build went through, its attempts notwithstanding.
    fn went_live(&self) -> &str {
        assert!(self.is_live(), "{}\n{}", self.deployment["latest_stage"], self.log);
        &self.log
    }

    /// The build stage failed, and the log says this.
    fn was_stopped(&self, words: &str) {
        let stage = &self.deployment["latest_stage"];
        assert!(stage["name"] == "build" && stage["status"] == "failure", "{stage}\n{}", self.log);
        assert!(self.log.contains(words), "{words}:\n{}", self.log);
    }
}

/// A claim whose test was renamed away is a claim without a test.
#[test]
fn every_test_that_the_documentation_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/BUILD-ISOLATION.md")).unwrap();
    let mut module = PathBuf::new();
    let mut named = 0;
    for name in page.split('`').skip(1).step_by(2).filter(|name| name.contains("::")) {
        let mut parts: Vec<&str> = name.split("::").collect();
        let function = parts.pop().unwrap();
        if function == "…" {
            continue;
        }
        match parts[0] {
            "walls" => module = root.join("crates/sandbox/tests/walls").join(parts[1]),
            "isolation" | "builds" => module = root.join("crates/offprint/tests/it").join(parts.join("/")),
            "egress" => module = root.join("crates/sandbox/src").join(parts[..2].join("/")),
            "…" => {}
            _ => continue,
        }
        let source = fs::read_to_string(module.with_extension("rs")).unwrap();
        assert!(source.contains(&format!("fn {function}(")), "{name} is not in {}", module.display());
        named += 1;
    }
    assert!(named > 40, "only {named} tests were found");
}
