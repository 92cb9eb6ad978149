//! Actors that call the Pages API. Who asks is a value; every answer is checked against the description.

use offprint_wire::error_code::ErrorCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use super::{ACCOUNT, Form, Published, Violations};

/// What a caller shows of itself.
#[derive(Clone)]
pub(crate) enum Credentials {
    None,
    Bearer(String),
    EmailKey(String, String),
}

/// A caller of the API.
#[derive(Clone)]
pub(crate) struct Api {
    base: String,
    http: Client,
    credentials: Credentials,
    violations: Violations,
}

impl Api {
    pub(crate) fn new(base: String, http: Client, credentials: Credentials, violations: Violations) -> Self {
        Self { base, http, credentials, violations }
    }

    /// The same caller with another token.
    pub(crate) fn with_bearer(&self, token: &str) -> Self {
        Self { credentials: Credentials::Bearer(token.into()), ..self.clone() }
    }

    /// A call to a path below `/client/v4`.
    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        let request = self.http.request(method.clone(), format!("{}{path}", self.base));
        let request = match &self.credentials {
            Credentials::None => request,
            Credentials::Bearer(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            Credentials::EmailKey(email, key) => {
                request.header("x-auth-email", email).header("x-auth-key", key)
            }
        };
        let (http, base) = (self.http.clone(), self.base.clone());
        Call { request, method, path: path.to_owned(), http, base, violations: self.violations.clone() }
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub(crate) fn patch(&self, path: &str) -> Call {
        self.call(Method::PATCH, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// The status of a GET from a site of the same server.
    pub(crate) async fn site_status(&self, host: &str, path: &str) -> u16 {
        let url = format!("{}{path}", self.base.trim_end_matches("/client/v4"));
        self.http.get(url).header("host", host).send().await.unwrap().status().as_u16()
    }

    /// Makes a project with production branch `main`.
    pub(crate) async fn create_project(&self, name: &str) -> Value {
        let body = serde_json::json!({ "name": name, "production_branch": "main" });
        self.post(&projects()).json(&body).ok().await
    }

    /// Makes a token of the account that may only read.
    pub(crate) async fn create_read_token(&self) -> String {
        let body = serde_json::json!({
            "name": "reader",
            "policies": [{
                "effect": "allow",
                "resources": { format!("com.cloudflare.api.account.{ACCOUNT}"): "*" },
                "permission_groups": [{ "name": "Pages Read" }],
            }],
        });
        let token = self.post(&format!("/accounts/{ACCOUNT}/tokens")).json(&body).ok().await;
        token["value"].as_str().expect("a new token's value").to_owned()
    }
}

/// The path of the account's projects.
pub(crate) fn projects() -> String {
    format!("/accounts/{ACCOUNT}/pages/projects")
}

/// The path of a project, or of what is below it: `project("demo", "/deployments")`.
pub(crate) fn project(name: &str, rest: &str) -> String {
    format!("{}/{name}{rest}", projects())
}

/// One call, about to be made.
pub(crate) struct Call {
    request: RequestBuilder,
    method: Method,
    path: String,
    http: Client,
    base: String,
    violations: Violations,
}

impl Call {
    /// A JSON body, said to be JSON.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// A JSON body, said to be text, as wrangler does.
    pub(crate) fn json_as_text(self, body: &Value) -> Self {
        self.body("text/plain;charset=UTF-8", body.to_string())
    }

    /// A form.
    pub(crate) fn form(self, form: Form) -> Self {
        let (content_type, body) = form.finish();
        self.body(&content_type, body)
    }

    /// Any body.
    pub(crate) fn body(self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        let request = self.request.header(CONTENT_TYPE, content_type).body(body);
        Self { request, ..self }
    }

    /// A further header.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        let request = self.request.header(name, value);
        Self { request, ..self }
    }

    /// Makes the call.
    pub(crate) async fn send(self) -> Answer {
        self.try_send().await.expect("the API answers")
    }

    /// Makes the call; the error when the connection broke before an answer.
    pub(crate) async fn try_send(self) -> reqwest::Result<Answer> {
        let response = self.request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?;
        self.violations.check(self.method.as_str(), &self.path, status, &body);
        let what = format!("{} {}", self.method, self.path);
        let json: Value = serde_json::from_slice(&body)
            .unwrap_or_else(|_| panic!("{what} -> {status}: not JSON: {}", String::from_utf8_lossy(&body)));
        let (method, path) = (self.method.as_str(), format!("/client/v4{}", self.path));
        let published = Published::of(&self.http, self.base.trim_end_matches("/client/v4")).await;
        if let Err(problem) = published.check(method, &path, status, &json) {
            self.violations.note(format!("{what} -> {status}: {problem}, says the server's own description"));
        }
        Ok(Answer { what, status, headers, json })
    }

    /// Makes the call, which must succeed; its `result`.
    pub(crate) async fn ok(self) -> Value {
        self.send().await.ok()
    }

    /// Makes the call, which must fail so; its message.
    pub(crate) async fn refused(self, code: ErrorCode) -> String {
        self.send().await.refused(code)
    }
}

/// An answer of the API.
pub(crate) struct Answer {
    what: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Answer {
    /// The `result` of a success.
    pub(crate) fn ok(mut self) -> Value {
        assert_eq!(
            (self.status, &self.json["success"]),
            (200, &Value::Bool(true)),
            "{}: {}",
            self.what,
            self.json
        );
        self.json["result"].take()
    }

    /// The message of a failure with this code first, and the code's status.
    pub(crate) fn refused(self, code: ErrorCode) -> String {
        let expected = (code.status(), Some(i64::from(code.number())));
        assert_eq!((self.status, self.code()), expected, "{}: {}", self.what, self.json);
        let message = self.json["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "{}: an error without a message", self.what);
        message.to_owned()
    }

    /// The code of the first error.
    pub(crate) fn code(&self) -> Option<i64> {
        self.json["errors"][0]["code"].as_i64()
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
