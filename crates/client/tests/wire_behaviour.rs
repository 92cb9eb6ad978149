//! What the client does when the wire misbehaves: retries, `Retry-After`, `x-should-retry`, renewed upload
//! tokens, redirects. A scripted server answers; nothing here pretends to be Pages.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not recognised as tests")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use offprint_client::retry::RetryPolicy;
use offprint_client::{ClientOptions, ErrorKind, PagesApi, PagesClient};
use offprint_model::asset::AssetKey;
use offprint_model::id::AccountId;
use offprint_model::secret::Secret;

const DONE: &str = r#"{"success":true,"result":[],"errors":[],"messages":[]}"#;

/// One scripted answer: status, headers, body. A status of 0 drops the connection.
type Reply = (u16, &'static [(&'static str, &'static str)], String);

/// What was asked: method, path with query, credentials.
type Seen = (String, String, String);

#[derive(Clone)]
struct Script {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    address: String,
}

impl Script {
    async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/client/v4", listener.local_addr().unwrap());
        let replies = Arc::new(Mutex::new(replies.into_iter().collect()));
        let script = Self { replies, seen: Arc::default(), address };
        let app = axum::Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        script
    }

    fn client(&self) -> PagesClient {
        let retry =
            RetryPolicy { retries_max: 3, wait_first: Duration::from_millis(1), ..Default::default() };
        let token = Secret::new("api-token".to_owned());
        let options = ClientOptions { retry, ..ClientOptions::new(self.address.clone(), token) };
        PagesApi::new(options).unwrap().in_account(AccountId::new("acc"))
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn calls(&self) -> usize {
        self.seen().len()
    }
}

async fn answer(State(script): State<Script>, request: Request) -> Response<Body> {
    let credentials = request.headers()["authorization"].to_str().unwrap().to_owned();
    let seen = (request.method().to_string(), request.uri().to_string(), credentials);
    let _ = axum::body::to_bytes(request.into_body(), usize::MAX).await;
    script.seen.lock().unwrap().push(seen);
    let (status, headers, body) = script.replies.lock().unwrap().pop_front().expect("the script is over");
    if status == 0 {
        // A body that ends in an error makes the server cut the connection.
        let cut = futures_util::stream::iter([Err::<String, _>(std::io::Error::other("cut"))]);
        return Response::new(Body::from_stream(cut));
    }
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body)).unwrap()
}

fn reply(status: u16, body: &str) -> Reply {
    (status, &[], body.to_owned())
}

fn failure(status: u16, code: u32) -> Reply {
    let error = format!(r#"{{"code":{code},"message":"no"}}"#);
    reply(status, &format!(r#"{{"success":false,"result":null,"errors":[{error}],"messages":[]}}"#))
}

fn result(json: &str) -> Reply {
    reply(200, &format!(r#"{{"success":true,"result":{json},"errors":[],"messages":[]}}"#))
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let busy = (429, &[("retry-after-ms", "1")] as &[_], String::new());
    let script = Script::start([reply(502, "<html>bad gateway"), busy, reply(0, ""), reply(200, DONE)]).await;
    assert!(script.client().projects().await.unwrap().is_empty());
    assert_eq!(script.calls(), 4);
    let (method, path, credentials) = &script.seen()[0];
    assert_eq!((method.as_str(), credentials.as_str()), ("GET", "Bearer api-token"));
    assert_eq!(path, "/client/v4/accounts/acc/pages/projects?page=1&per_page=10");
}

#[tokio::test]
async fn patience_ends() {
    let script = Script::start((0..4).map(|_| failure(500, 8_000_000))).await;
    let error = script.client().projects().await.unwrap_err();
    assert_eq!((error.kind(), error.status(), script.calls()), (ErrorKind::ServerFault, Some(500), 4));
}

#[tokio::test]
async fn the_server_may_forbid_another_try_and_ask_for_one() {
    let final_reply = (500, &[("x-should-retry", "false")] as &[_], String::new());
    let script = Script::start([final_reply]).await;
    assert!(script.client().projects().await.is_err());
    assert_eq!(script.calls(), 1);

    let wanted = (409, &[("x-should-retry", "true")] as &[_], String::new());
    let script = Script::start([wanted, reply(200, DONE)]).await;
    assert!(script.client().projects().await.is_ok());
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_a_failure_at_once() {
    let script = Script::start([(429, &[("retry-after", "86400")] as &[_], String::new())]).await;
    let error = script.client().projects().await.unwrap_err();
    assert_eq!((error.kind(), script.calls()), (ErrorKind::TooManyRequests, 1));
}

#[tokio::test]
async fn what_makes_another_thing_is_not_made_twice() {
    let script = Script::start([reply(502, "")]).await;
    let created = script.client().create_project("site", "main").await;
    assert_eq!((created.unwrap_err().kind(), script.calls()), (ErrorKind::ServerFault, 1));

    // Of code 8000000 the API says that nothing was stored.
    let project = r#"{"id":"1","name":"site"}"#;
    let script = Script::start([failure(500, 8_000_000), result(project)]).await;
    assert_eq!(script.client().create_project("site", "main").await.unwrap().name, "site");
}

#[tokio::test]
async fn a_refused_upload_token_is_renewed_once_for_all() {
    let jwt = |name: &str| result(&format!(r#"{{"jwt":"e30.e30.{name}"}}"#));
    let refused = || failure(401, 8_000_013);
    let script = Script::start([jwt("a"), refused(), jwt("b"), result(r#"["k"]"#), result("null")]).await;
    let session = script.client().upload_session("site").await.unwrap();
    assert_eq!(session.files_max(), 20_000);
    let key = AssetKey::parse("k").unwrap();
    assert_eq!(session.check_missing(&[&key]).await.unwrap(), ["k"]);
    session.upload("[]".into()).await.unwrap();
    let credentials: Vec<_> = script.seen().into_iter().map(|seen| seen.2).collect();
    let [api, a, b] = ["Bearer api-token", "Bearer e30.e30.a", "Bearer e30.e30.b"];
    assert_eq!(credentials, [api, a, api, b, b]);
}

#[tokio::test]
async fn a_server_that_refuses_every_upload_token_does_not_keep_us() {
    let jwt = || result(r#"{"jwt":"x"}"#);
    let replies = std::iter::once(jwt()).chain((0..100).flat_map(|_| [failure(401, 8_000_013), jwt()]));
    let script = Script::start(replies).await;
    let session = script.client().upload_session("site").await.unwrap();
    let error = session.upload("[]".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(script.calls() < 30, "{}", script.calls());
}

#[tokio::test]
async fn names_cannot_lead_to_another_endpoint() {
    let script = Script::start([failure(404, 8_000_007), failure(404, 8_000_007)]).await;
    let client = script.client();
    for dots in ["", ".", ".."] {
        let error = client.delete_deployment("site", dots, true).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadAddress);
    }
    assert_eq!(script.calls(), 0);
    assert_eq!(client.project("a/../b?c#d").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(script.seen()[0].1, "/client/v4/accounts/acc/pages/projects/a%2F..%2Fb%3Fc%23d");
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let script =
        Script::start([(301, &[("location", "https://pages.example/client/v4")] as &[_], String::new())])
            .await;
    let error = script.client().projects().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadAddress);
    assert!(error.to_string().contains("https://pages.example/client/v4"), "{error}");
}

#[tokio::test]
async fn no_server_is_unreachable_and_the_advice_says_what_to_look_at() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/client/v4", listener.local_addr().unwrap());
    drop(listener);
    let retry = RetryPolicy { retries_max: 0, ..Default::default() };
    let options = ClientOptions { retry, ..ClientOptions::new(address, Secret::new("t".to_owned())) };
    let error = PagesApi::new(options).unwrap().accounts().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.advice().unwrap().contains("running"));
}

#[tokio::test]
async fn lists_are_read_to_the_first_page_that_is_not_full() {
    let page = |names: std::ops::Range<usize>| {
        let items: Vec<_> = names.map(|n| format!(r#"{{"id":"{n}","name":"p{n}"}}"#)).collect();
        result(&format!("[{}]", items.join(",")))
    };
    let script = Script::start([page(0..10), page(10..13)]).await;
    assert_eq!(script.client().projects().await.unwrap().len(), 13);
    assert!(script.seen()[1].1.ends_with("page=2&per_page=10"));
}
