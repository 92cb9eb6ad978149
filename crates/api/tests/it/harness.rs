//! A router of its own for every test, and clients that say who asks.
//!
//! Every answer is checked for what nobody remembers to: it is one envelope, its `success` agrees with its
//! status, final conflicts and faults forbid retries, and it carries a request id.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use offprint_api::{ApiState, DomainCheck, Limits};
use offprint_functions::Tails;
use offprint_model::id::{AccountId, DeploymentId};
use offprint_model::secret::Secret;
use offprint_model::stages::{StageEnd, StageName};
use offprint_resources::Resources;
use offprint_store::{Claim, Clock, Lease, Permission, Store, StoreOptions, Wake};
use offprint_wire::urls::SiteUrls;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub(crate) const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const EMAIL: &str = "owner@example.com";
const WRITE_TOKEN: &str = "a-token-that-may-write-0123456789";

/// A server.
pub(crate) struct Api {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) wake: Wake,
    pub(crate) stop: CancellationToken,
    pub(crate) tails: Tails,
    read_token: String,
    _data: tempfile::TempDir,
}

/// Somebody who asks.
pub(crate) struct Client<'a> {
    router: &'a Router,
    headers: Vec<(&'static str, String)>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) json: Value,
}

impl Api {
    pub(crate) async fn start() -> Self {
        Self::with_limits(Limits::default()).await
    }

    pub(crate) async fn with_limits(limits: Limits) -> Self {
        Self::with(limits, true).await
    }

    /// A server with nobody who builds.
    pub(crate) async fn without_builder() -> Self {
        Self::with(Limits::default(), false).await
    }

    async fn with(limits: Limits, builds: bool) -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(StoreOptions::new(data.path())).await.unwrap();
        let secret = || Secret::new(WRITE_TOKEN.to_owned());
        store.bootstrap(Some(AccountId::new(ACCOUNT)), Some(secret()), "Test", EMAIL).await.unwrap();
        let principal = store.authenticate(&secret()).await.unwrap().unwrap();
        let scope = principal.scope(&AccountId::new(ACCOUNT), Permission::Write).unwrap();
        let (_, read) = store.create_token(&scope, "read", Permission::Read, None).await.unwrap();
        let wake = Wake::default();
        let urls = SiteUrls { scheme: "http".into(), domain: "pages.localhost".into(), port: Some(8788) };
        let (stop, tails) = (CancellationToken::new(), Tails::default());
        let state = ApiState {
            store: store.clone(),
            resources: Resources::open(store.clone()).unwrap(),
            wake: wake.clone(),
            limits,
            urls,
            public_url: "http://localhost:8788".into(),
            domain_check: DomainCheck::Resolve,
            builds,
            tails: tails.clone(),
            stop: stop.clone(),
        };
        Self {
            router: offprint_api::router(state),
            store,
            wake,
            stop,
            tails,
            read_token: read.expose().clone(),
            _data: data,
        }
    }

    pub(crate) fn anonymous(&self) -> Client<'_> {
        Client { router: &self.router, headers: Vec::new() }
    }

    pub(crate) fn bearer(&self, token: &str) -> Client<'_> {
        Client { router: &self.router, headers: vec![("authorization", format!("Bearer {token}"))] }
    }

    pub(crate) fn writer(&self) -> Client<'_> {
        self.bearer(WRITE_TOKEN)
    }

    /// The header of [`Api::reader`].
    pub(crate) fn read_authorization(&self) -> String {
        format!("Bearer {}", self.read_token)
    }

    /// The header of [`Api::writer`].
    pub(crate) fn write_authorization(&self) -> String {
        format!("Bearer {WRITE_TOKEN}")
    }

    pub(crate) fn reader(&self) -> Client<'_> {
        self.bearer(&self.read_token)
    }

    pub(crate) fn key_pair(&self, email: &str) -> Client<'_> {
        let headers = vec![("x-auth-email", email.to_owned()), ("x-auth-key", WRITE_TOKEN.to_owned())];
        Client { router: &self.router, headers }
    }

    /// Makes a project with the production branch `main`.
    pub(crate) async fn project(&self, name: &str) -> Value {
        let body = json!({"name": name, "production_branch": "main"});
        self.writer().post("/accounts/{a}/pages/projects", &body).await.result()
    }

    /// Makes the project `demo`, which is built from the GitHub repository `cedar/site`.
    pub(crate) async fn built_project(&self) -> Value {
        let config = json!({"owner": "cedar", "repo_name": "site"});
        self.project_of("github", &config).await
    }

    /// Makes the project `demo` with a repository.
    pub(crate) async fn project_of(&self, kind: &str, config: &Value) -> Value {
        let source = json!({"type": kind, "config": config});
        let body = json!({"name": "demo", "production_branch": "main", "source": source});
        self.writer().post("/accounts/{a}/pages/projects", &body).await.result()
    }

    /// The upload token of a project.
    pub(crate) async fn upload_token(&self, project: &str) -> String {
        let path = format!("/accounts/{{a}}/pages/projects/{project}/upload-token");
        self.writer().get(&path).await.result()["jwt"].as_str().unwrap().to_owned()
    }

    /// Uploads these files and deploys them.
    pub(crate) async fn deploy(&self, project: &str, branch: &str, files: &[(&str, &str)]) -> Value {
        let manifest = self.upload(project, files).await;
        let form = form(&[("manifest", manifest.to_string().as_bytes()), ("branch", branch.as_bytes())]);
        self.writer().send_form(&deployments(project), form).await.result()
    }

    /// Uploads these files; yields their manifest.
    pub(crate) async fn upload(&self, project: &str, files: &[(&str, &str)]) -> Value {
        let client = self.upload_token(project).await;
        let uploads: Vec<Value> = files.iter().map(|(path, text)| upload_item(path, text)).collect();
        self.bearer(&client).post("/pages/assets/upload", &json!(uploads)).await.ok();
        let entry = |(path, text): &(&str, &str)| ((*path).to_owned(), Value::String(key(path, text)));
        Value::Object(files.iter().map(entry).collect())
    }

    /// The deployments of `demo`, newest first.
    pub(crate) async fn deployments(&self) -> Vec<Value> {
        let listed = self.reader().get(&deployments("demo")).await.result();
        listed.as_array().unwrap().clone()
    }

    /// The lease of the oldest build that waits.
    pub(crate) async fn claim_build(&self) -> Option<Lease> {
        self.store
            .claim_build("test", Duration::from_secs(60), None)
            .await
            .unwrap()
            .and_then(Claim::deployment)
    }

    /// Takes the oldest job to its end, as the pipeline would.
    pub(crate) async fn run_job(&self, end: StageEnd) -> DeploymentId {
        let lease = self.store.claim_upload("test", Duration::from_secs(60)).await.unwrap().unwrap();
        let work = self.store.work(&lease).await.unwrap();
        let now = Clock::now;
        let begun = work.deployment.stages.end(StageName::Queued, StageEnd::Success, now()).unwrap();
        let begun = begun.start(StageName::Deploy, now()).unwrap();
        self.store.set_stages(&lease, begun).await.unwrap();
        let ended = begun.end(StageName::Deploy, end, now()).unwrap();
        if end == StageEnd::Success {
            let sealed = self.store.seal(&lease).await.unwrap();
            self.store.activate(sealed, &lease, ended).await.unwrap();
        } else {
            self.store.finish_failed(&lease, ended).await.unwrap();
        }
        work.deployment.id
    }
}

impl Client<'_> {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, Body::empty()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, Body::empty()).await
    }

    /// As wrangler sends it: JSON that says it is text.
    pub(crate) async fn post(&self, path: &str, json: &Value) -> Answer {
        let body = Body::from(json.to_string());
        self.send(Method::POST, path, Some("text/plain;charset=UTF-8"), body).await
    }

    pub(crate) async fn post_empty(&self, path: &str) -> Answer {
        self.send(Method::POST, path, None, Body::empty()).await
    }

    pub(crate) async fn patch(&self, path: &str, json: &Value) -> Answer {
        self.send(Method::PATCH, path, Some("application/json"), Body::from(json.to_string())).await
    }

    pub(crate) async fn send_form(&self, path: &str, form: Vec<u8>) -> Answer {
        self.send(Method::POST, path, Some("multipart/form-data; boundary=XX"), Body::from(form)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, kind: Option<&str>, body: Body) -> Answer {
        let uri = format!("/client/v4{}", path.replace("{a}", ACCOUNT));
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        self.send_raw(request.body(body).unwrap()).await
    }

    /// For answers that are bytes and no envelope.
    pub(crate) async fn bytes(&self, path: &str, headers: &[(&str, &str)]) -> http::Response<bytes::Bytes> {
        let uri = format!("/client/v4{}", path.replace("{a}", ACCOUNT));
        let mut request = Request::builder().uri(uri);
        let own = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        http::Response::from_parts(parts, axum::body::to_bytes(body, usize::MAX).await.unwrap())
    }

    pub(crate) async fn put(&self, path: &str, kind: &str, body: impl Into<Body>) -> Answer {
        self.send(Method::PUT, path, Some(kind), body.into()).await
    }

    pub(crate) async fn send_raw(&self, request: Request<Body>) -> Answer {
        let asked = format!("{} {}", request.method(), request.uri());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let json = serde_json::from_slice(&body)
            .unwrap_or_else(|_| panic!("{asked}: not JSON: {}", String::from_utf8_lossy(&body)));
        let answer = Answer { status, headers, json };
        answer.check(&asked);
        answer
    }
}

impl Answer {
    fn check(&self, asked: &str) {
        let errors = self.json["errors"].as_array().unwrap_or_else(|| panic!("{asked}: no errors array"));
        assert_eq!(self.json["success"], self.status.is_success(), "{asked}");
        assert_eq!(errors.is_empty(), self.status.is_success(), "{asked}");
        assert!(self.json["messages"].is_array() && self.json.get("result").is_some(), "{asked}");
        assert_eq!(self.headers["content-type"], "application/json", "{asked}");
        assert!(self.headers.contains_key("x-request-id"), "{asked}");
        if self.status == StatusCode::CONFLICT || self.status.is_server_error() {
            assert_eq!(self.headers["x-should-retry"], "false", "{asked}");
        }
    }

    #[track_caller]
    pub(crate) fn ok(&self) {
        assert_eq!(self.status, StatusCode::OK, "{}", self.json);
    }

    #[track_caller]
    pub(crate) fn result(self) -> Value {
        self.ok();
        self.json["result"].clone()
    }

    /// Status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, u64) {
        (self.status.as_u16(), self.json["errors"][0]["code"].as_u64().unwrap_or(0))
    }

    pub(crate) fn message(&self) -> &str {
        self.json["errors"][0]["message"].as_str().unwrap_or_default()
    }
}

/// The path of `demo`, or of what is below it.
pub(crate) fn demo(rest: &str) -> String {
    format!("/accounts/{{a}}/pages/projects/demo{rest}")
}

pub(crate) fn deployments(project: &str) -> String {
    format!("/accounts/{{a}}/pages/projects/{project}/deployments")
}

/// A form, with the boundary `XX`.
pub(crate) fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, bytes) in parts {
        body.extend(format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").bytes());
        body.extend(*bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--XX--\r\n");
    body
}

pub(crate) fn key(path: &str, text: &str) -> String {
    let hasher = offprint_model::asset::KeyHasher::of_bytes(text.as_bytes());
    hasher.key(offprint_model::asset::extension(path)).to_string()
}

pub(crate) fn upload_item(path: &str, text: &str) -> Value {
    let value = base64_simd::STANDARD.encode_to_string(text);
    json!({"key": key(path, text), "value": value, "metadata": {"contentType": "text/html"}, "base64": true})
}
