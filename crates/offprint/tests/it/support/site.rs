//! A site to deploy over the API: says only what matters to a test.

use std::time::Duration;

use offprint_model::asset::{KeyHasher, extension};
use serde_json::{Map, Value, json};

use super::api::{Answer, project};
use super::server::host_of;
use super::{Api, Form};

/// How often and after which pause to look again for what the edge is about to show: five seconds at most.
pub(crate) const EDGE_TRIES: usize = 500;
pub(crate) const EDGE_PAUSE: Duration = Duration::from_millis(10);

/// A site about to be deployed by direct upload, as wrangler does it.
#[derive(Clone, Default)]
pub(crate) struct Site {
    assets: Vec<(String, Vec<u8>)>,
    fields: Vec<(String, String)>,
    files: Vec<(String, Vec<u8>)>,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A site whose front page is this text, and nothing else.
    pub(crate) fn page(text: &str) -> Self {
        Self::new().asset("/index.html", text)
    }

    pub(crate) fn asset(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.assets.push((path.into(), content.as_ref().into()));
        self
    }

    /// A text field of the form: `branch`, `commit_hash`...
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// A file part of the form: `_headers`, `_worker.js`...
    pub(crate) fn file(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((name.into(), content.as_ref().into()));
        self
    }

    pub(crate) fn branch(self, branch: &str) -> Self {
        self.field("branch", branch)
    }

    /// Uploads the assets and makes the deployment; does not wait for its end.
    pub(crate) async fn start(&self, api: &Api, name: &str) -> Value {
        self.upload(api, name).await;
        self.post(api, name).await.ok()
    }

    /// Uploads, deploys, and waits until the deployment is live.
    pub(crate) async fn deploy(&self, api: &Api, name: &str) -> Value {
        let deployment = self.start(api, name).await;
        went_live(api, name, &deployment, self.assets.first().map_or("/", |(path, _)| path)).await
    }

    /// Uploads the assets.
    pub(crate) async fn upload(&self, api: &Api, name: &str) {
        let assets: Vec<_> = self.assets.iter().map(|(path, bytes)| (path.as_str(), &bytes[..])).collect();
        upload(api, name, &assets).await;
    }

    /// Makes the deployment of assets that were uploaded before.
    pub(crate) async fn post(&self, api: &Api, name: &str) -> Answer {
        api.post(&project(name, "/deployments")).form(self.form()).send().await
    }

    /// The deployment's form.
    pub(crate) fn form(&self) -> Form {
        let entry = |(path, bytes): &(String, Vec<u8>)| (path.clone(), asset_key(path, bytes).into());
        let manifest: Map<String, Value> = self.assets.iter().map(entry).collect();
        let form = Form::manifest(&manifest.into());
        let form = self.fields.iter().fold(form, |form, (name, value)| form.text(name, value));
        self.files.iter().fold(form, |form, (name, content)| form.file(name, content))
    }
}

/// The key that wrangler gives an asset.
pub(crate) fn asset_key(path: &str, bytes: &[u8]) -> String {
    KeyHasher::of_bytes(bytes).key(extension(path)).to_string()
}

/// Standard base64 text.
pub(crate) fn base64(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

/// A JWT for uploads to the project.
pub(crate) async fn upload_token(api: &Api, name: &str) -> String {
    let result = api.get(&project(name, "/upload-token")).ok().await;
    result["jwt"].as_str().unwrap().to_owned()
}

/// Uploads assets of a project.
pub(crate) async fn upload(api: &Api, name: &str, assets: &[(&str, &[u8])]) {
    let jwt = upload_token(api, name).await;
    let uploader = api.with_bearer(&jwt);
    uploader.post("/pages/assets/upload").json(&upload_body(assets)).ok().await;
}

/// The body of an upload call.
pub(crate) fn upload_body(assets: &[(&str, &[u8])]) -> Value {
    let item = |(path, bytes): &(&str, &[u8])| {
        let content_type = if path.ends_with(".html") { "text/html" } else { "application/octet-stream" };
        json!({
            "key": asset_key(path, bytes),
            "value": base64(bytes),
            "metadata": { "contentType": content_type },
            "base64": true,
        })
    };
    assets.iter().map(item).collect()
}

/// Waits until a deployment has succeeded and the edge knows it: the edge follows the store, a few
/// milliseconds behind. The path is that of one of its assets.
pub(crate) async fn went_live(api: &Api, name: &str, created: &Value, path: &str) -> Value {
    let done = finished(api, name, created["id"].as_str().unwrap()).await;
    assert_eq!(done["latest_stage"]["status"], "success", "{done}");
    let host = host_of(done["url"].as_str().unwrap());
    for _ in 0..EDGE_TRIES {
        if api.site_status(host, path).await != 404 {
            return done;
        }
        tokio::time::sleep(EDGE_PAUSE).await;
    }
    panic!("the edge does not come to know {host}");
}

/// Polls a deployment until it has ended, well or badly.
async fn finished(api: &Api, name: &str, id: &str) -> Value {
    for _ in 0..1500 {
        let deployment = api.get(&project(name, &format!("/deployments/{id}"))).ok().await;
        let stage = &deployment["latest_stage"];
        let ended = ["failure", "canceled", "skipped"].iter().any(|status| stage["status"] == *status);
        if ended || (stage["name"] == "deploy" && stage["status"] == "success") {
            return deployment;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("deployment {id} does not end");
}
