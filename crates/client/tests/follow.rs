//! Following a log: the stream is resumed where it broke, and a server without one is asked again and again.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not recognised as tests")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use futures_util::StreamExt as _;
use offprint_client::follow::LogEvent;
use offprint_client::{ClientOptions, ErrorKind, PagesApi, PagesClient};
use offprint_model::id::AccountId;
use offprint_model::secret::Secret;
use serde_json::{Value, json};

const DEPLOYMENT: &str = "/accounts/acc/pages/projects/demo/deployments/d1";

/// One answer to a call of the stream.
#[derive(Clone)]
enum Stream {
    /// Events, and then the connection is cut.
    Cut(&'static str),
    /// Events, and then the answer ends well.
    Whole(&'static str),
    /// No stream.
    Refused(u16),
}

/// The stage, its status and how many lines there are.
type Progress = (&'static str, &'static str, usize);

/// A server that plays its streams one after the other, and its deployment and log likewise; the last repeats.
#[derive(Clone, Default)]
struct Server {
    streams: Arc<Mutex<VecDeque<Stream>>>,
    states: Arc<Mutex<VecDeque<Progress>>>,
    resumed_behind: Arc<Mutex<Vec<Option<String>>>>,
}

impl Server {
    async fn client(&self) -> PagesClient {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/client/v4", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let token = Secret::new("api-token".to_owned());
        PagesApi::new(ClientOptions::new(address, token)).unwrap().in_account(AccountId::new("acc"))
    }

    /// How far the deployment is; asking for the log goes one further.
    fn state(&self, next: bool) -> Progress {
        let mut states = self.states.lock().unwrap();
        let state = states[0];
        if next && states.len() > 1 {
            states.pop_front();
        }
        state
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response<Body> {
    let path = request.uri().path().strip_prefix("/client/v4").unwrap().to_owned();
    match path.strip_prefix(DEPLOYMENT) {
        Some("/history/logs/stream") => {
            let behind = request.headers().get("last-event-id").map(|id| id.to_str().unwrap().to_owned());
            server.resumed_behind.lock().unwrap().push(behind);
            stream(server.streams.lock().unwrap().pop_front().expect("the script is over"))
        }
        Some("/history/logs") => {
            let (_, _, count) = server.state(true);
            let lines: Vec<Value> =
                (1..=count).map(|n| json!({ "ts": "t", "line": format!("line {n}") })).collect();
            envelope(200, json!({ "total": count, "data": lines }))
        }
        Some("") => {
            let (name, status, _) = server.state(false);
            envelope(200, json!({ "id": "d1", "latest_stage": { "name": name, "status": status } }))
        }
        _ => envelope(404, Value::Null),
    }
}

fn stream(stream: Stream) -> Response<Body> {
    let (text, cut) = match stream {
        Stream::Refused(status) => return envelope(status, Value::Null),
        Stream::Cut(text) => (text, true),
        Stream::Whole(text) => (text, false),
    };
    let mut parts = vec![Ok(text.to_owned())];
    if cut {
        parts.push(Err(std::io::Error::other("cut")));
    }
    // What is written must be on its way before the connection is cut.
    let slowly = futures_util::stream::iter(parts).then(|part| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        part
    });
    let body = Body::from_stream(slowly);
    Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
}

fn envelope(status: u16, result: Value) -> Response<Body> {
    let errors = if status == 200 { json!([]) } else { json!([{ "code": 7003, "message": "No." }]) };
    let body = json!({ "result": result, "success": status == 200, "errors": errors, "messages": [] });
    Response::builder().status(status).body(Body::from(body.to_string())).unwrap()
}

/// Follows to the end: `line`s by their text, stages as `name=status`.
async fn follow(server: &Server) -> Vec<String> {
    let mut follower = server.client().await.follow_log("demo", "d1");
    let mut heard = Vec::new();
    while let Some(event) = follower.next().await.unwrap() {
        heard.push(match event {
            LogEvent::Line(line) => line.line,
            LogEvent::Stage { name, status } => format!("{name}={status}"),
            LogEvent::End => "end".to_owned(),
        });
    }
    heard
}

#[tokio::test]
async fn a_broken_stream_is_resumed_behind_the_last_event() {
    let server = Server::default();
    *server.streams.lock().unwrap() = VecDeque::from([
        Stream::Cut(
            "id: 1\nevent: line\ndata: {\"ts\":\"t\",\"line\":\"one\"}\n\nevent: stage\n\
             data: {\"name\":\"build\",\"status\":\"active\"}\n\nid: 2\nevent: line\ndata: {\"ts\":\"t\",\"li",
        ),
        Stream::Refused(503),
        Stream::Whole("id: 2\nevent: line\ndata: {\"ts\":\"t\",\"line\":\"two\"}\n\n: still here\n\n"),
        Stream::Whole(
            "event: news\ndata: of a later version\n\nevent: end\ndata: {\"status\":\"success\"}\n\n",
        ),
    ]);
    assert_eq!(follow(&server).await, ["one", "build=active", "two", "end"]);
    let behind = server.resumed_behind.lock().unwrap().clone();
    let one = Some("1".to_owned());
    assert_eq!(behind, [None, one.clone(), one, Some("2".to_owned())]);
}

#[tokio::test]
async fn a_server_without_a_stream_is_asked_until_the_deployment_ends() {
    let server = Server::default();
    server.streams.lock().unwrap().push_back(Stream::Refused(404));
    *server.states.lock().unwrap() =
        VecDeque::from([("build", "active", 1), ("build", "active", 3), ("deploy", "failure", 4)]);
    let heard = follow(&server).await;
    assert_eq!(heard, ["line 1", "build=active", "line 2", "line 3", "line 4", "deploy=failure", "end"]);
    assert_eq!(server.resumed_behind.lock().unwrap().len(), 1, "the stream is asked for once");
}

#[tokio::test]
async fn a_token_that_may_not_look_is_told_at_once() {
    let server = Server::default();
    server.streams.lock().unwrap().push_back(Stream::Refused(403));
    let error = server.client().await.follow_log("demo", "d1").next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
}
