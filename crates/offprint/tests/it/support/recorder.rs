//! A relay between a released client and the server: it notes every call and checks every answer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING,
};
use axum::http::{HeaderMap, Response};
use bytes::Bytes;
use reqwest::Client;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Violations;

/// Larger than any body a test sends.
const BODY_BYTES_MAX: usize = 128 << 20;

/// One call that went through.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    /// With the query, without `/client/v4`.
    pub(crate) path: String,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
    pub(crate) answer: Value,
}

/// The relay; it ends with the test.
pub(crate) struct Recorder {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Recorded>>>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Relay {
    server: SocketAddr,
    http: Client,
    calls: Arc<Mutex<Vec<Recorded>>>,
    violations: Violations,
}

impl Recorder {
    pub(crate) async fn start(server: SocketAddr, http: Client, violations: Violations) -> Self {
        let calls = Arc::default();
        let relay = Relay { server, http, calls: Arc::clone(&calls), violations };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(pass_on).with_state(relay);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, calls, task }
    }

    /// The base URL to give to a client.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/client/v4", self.address)
    }

    /// The calls since the last time this was asked.
    pub(crate) fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(State(relay): State<Relay>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap();
    let mut headers = parts.headers.clone();
    for hop in [HOST, CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH, ACCEPT_ENCODING] {
        headers.remove(hop);
    }
    let url = format!("http://{}{path}", relay.server);
    let sent = relay.http.request(parts.method.clone(), url).headers(headers).body(body.clone()).send().await;
    let Ok(answer) = sent else {
        return Response::builder().status(502).body(Body::empty()).unwrap();
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    let bytes = answer.bytes().await.unwrap_or_default();
    let path = path.strip_prefix("/client/v4").unwrap_or(&path).to_owned();
    relay.violations.check(parts.method.as_str(), &path, status.as_u16(), &bytes);
    relay.calls.lock().unwrap().push(Recorded {
        method: parts.method.to_string(),
        path,
        content_type: content_type(&parts.headers),
        body,
        answer: serde_json::from_slice(&bytes).unwrap_or_default(),
    });
    headers.remove(TRANSFER_ENCODING);
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
