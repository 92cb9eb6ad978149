//! Actors that call the Deploys API. Every answer is checked against the description that the server itself publishes:
//! so every member of the contract is in every answer, and no other.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::{Published, Violations};

/// A caller of the API.
#[derive(Clone)]
pub(crate) struct Deploys {
    origin: String,
    http: Client,
    token: Option<String>,
    description: &'static Published,
    violations: Violations,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    what: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Deploys {
    pub(crate) async fn new(origin: String, http: Client, token: &str, violations: Violations) -> Self {
        let description = Published::of(&http, &origin).await;
        Self { origin, http, token: Some(token.to_owned()), description, violations }
    }

    /// The same with another key.
    pub(crate) fn with_key(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same without one.
    pub(crate) fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// Every operation: method in capitals, and path.
    pub(crate) fn operations(&self) -> Vec<(String, String)> {
        self.description.operations("/api")
    }

    /// A call to a path below `/api`.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = self.http.request(method.clone(), format!("{}/api{path}", self.origin));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let what = format!("{method} /api{path} -> {status}");
        let json: Value = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| panic!("{what}: not JSON: {}", String::from_utf8_lossy(&bytes)));
        if let Err(problem) = self.description.check(method.as_str(), &format!("/api{path}"), status, &json) {
            self.violations.note(format!("{what}: {problem}"));
        }
        if headers.get("x-request-id").is_none() {
            self.violations.note(format!("{what}: no x-request-id"));
        }
        Reply { what, status, headers, json }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, None, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, Some(&body), &[]).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call(Method::PATCH, path, Some(&body), &[]).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path, None, &[]).await
    }

    /// Waits until a build or deploy has ended, and yields it.
    pub(crate) async fn ended(&self, path: &str) -> Value {
        for _ in 0..1500 {
            let found = self.get(path).await.ok();
            if !["pending", "running"].contains(&found["status"].as_str().unwrap()) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{path} does not end");
    }

    /// Makes an app with one version that has these files, and yields the ids of both.
    pub(crate) async fn app(&self, name: &str, files: &[(&str, &str)]) -> (String, String) {
        let app = self.post("/apps", json!({ "name": name })).await.made();
        let version = self.post("/app-versions", json!({ "appId": app["id"], "name": "first" })).await.made();
        let version = id(&version);
        for (path, content) in files {
            let file = json!({ "path": path, "content": content });
            self.post(&format!("/app-versions/{version}/files"), file).await.made();
        }
        (id(&app), version)
    }

    /// Builds a version, which must succeed; the build's id.
    pub(crate) async fn build(&self, version: &str) -> String {
        let build = id(&self.post("/builds", json!({ "appVersionId": version })).await.made());
        let ended = self.ended(&format!("/builds/{build}")).await;
        assert_eq!(ended["status"], "completed", "{ended}");
        build
    }

    /// Deploys a build, which must succeed.
    pub(crate) async fn deploy(&self, build: &str) -> Value {
        let deploy = id(&self.post("/deploys", json!({ "buildId": build })).await.made());
        let ended = self.ended(&format!("/deploys/{deploy}")).await;
        assert_eq!(ended["status"], "completed", "{ended}");
        ended
    }
}

/// The id of an answer.
pub(crate) fn id(of: &Value) -> String {
    of["id"].as_str().unwrap_or_else(|| panic!("{of} has no id")).to_owned()
}

impl Reply {
    /// A success.
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}: {}", self.what, self.json);
        self.json
    }

    /// Something was made.
    pub(crate) fn made(self) -> Value {
        assert_eq!(self.status, 201, "{}: {}", self.what, self.json);
        self.json
    }

    /// A refusal with this status; the path of what is wrong, if it says.
    pub(crate) fn refused(self, status: u16) -> String {
        assert_eq!(self.status, status, "{}: {}", self.what, self.json);
        self.json["error"]["details"][0]["path"].as_str().unwrap_or_default().to_owned()
    }
}
