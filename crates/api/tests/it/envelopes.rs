//! What every call has in common: unknown paths, methods and bodies are answered in the envelope.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::harness::{ACCOUNT, Api};

#[tokio::test]
async fn unknown_paths_have_7003() {
    let api = Api::start().await;
    for path in ["", "/", "/nothing", "/accounts/{a}/pages", "/pages/assets/upload/x"] {
        let answer = api.writer().get(path).await;
        assert_eq!(answer.refusal(), (404, 7003), "{path}");
        assert!(answer.message().starts_with("Could not route to /client/v4"), "{}", answer.message());
    }
}

#[tokio::test]
async fn wrong_methods_have_10405() {
    let api = Api::start().await;
    for (method, path) in [
        (Method::PUT, "/accounts/{a}/pages/projects"),
        (Method::GET, "/pages/assets/upload"),
        (Method::POST, "/user"),
        (Method::PATCH, "/accounts/{a}/pages/projects/demo/deployments"),
    ] {
        let answer = api.writer().send(method.clone(), path, None, Body::empty()).await;
        assert_eq!(answer.refusal(), (405, 10405), "{method} {path}");
    }
}

#[tokio::test]
async fn a_base_url_with_a_trailing_slash_works() {
    let api = Api::start().await;
    assert_eq!(api.writer().get("//accounts/{a}/pages/projects").await.result(), json!([]));
}

#[tokio::test]
async fn a_request_id_is_echoed() {
    let api = Api::start().await;
    let request = Request::get("/client/v4/nothing").header("x-request-id", "my-id-1").body(Body::empty());
    let answer = api.anonymous().send_raw(request.unwrap()).await;
    assert_eq!(answer.headers["x-request-id"], "my-id-1");
}

#[tokio::test]
async fn bad_json_says_where() {
    let api = Api::start().await;
    let projects = "/accounts/{a}/pages/projects";
    let send = async |body: &'static str| {
        api.writer().send(Method::POST, projects, Some("text/plain"), Body::from(body)).await
    };
    for (body, text) in [
        ("{", "is not valid JSON"),
        ("[]", "the body must be an object"),
        ("", "name is required"),
        (
            r#"{"name":"x","production_branch":"m","deployment_configs":{"preview":{"env_vars":{"A":1}}}}"#,
            "deployment_configs.preview.env_vars.A must be an object",
        ),
    ] {
        let answer = send(body).await;
        assert_eq!(answer.refusal(), (400, 8_000_006), "{body}");
        assert!(answer.message().contains(text), "{body}: {}", answer.message());
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_413() {
    let api = Api::start().await;
    let body = format!(r#"{{"name":"{}"}}"#, "x".repeat(5 * 1024 * 1024));
    let answer =
        api.writer().send(Method::POST, "/accounts/{a}/pages/projects", None, Body::from(body)).await;
    assert_eq!(answer.refusal(), (413, 8_100_001));
}

#[tokio::test]
async fn a_chunked_body_is_as_good() {
    let api = Api::start().await;
    let pieces = [r#"{"name":"demo","#, r#""production_branch":"main"}"#];
    let stream = futures_util::stream::iter(pieces.map(Ok::<_, std::convert::Infallible>));
    let answer = api
        .writer()
        .send(Method::POST, "/accounts/{a}/pages/projects", None, Body::from_stream(stream))
        .await;
    assert_eq!(answer.result()["name"], "demo");
}

#[tokio::test]
async fn ids_are_opaque() {
    let api = Api::start().await;
    api.project("demo").await;
    for id in ["not-a-uuid", "f64788e9", "023e105f4ecef8ad9ca31a8372d0c353", "%2e%2e", "%ff", "ä"] {
        let path = format!("/accounts/{ACCOUNT}/pages/projects/demo/deployments/{id}");
        let request = Request::get(format!("/client/v4{path}"));
        // What HTTP itself does not let through is nobody's id either.
        if request.body(()).is_ok() {
            assert_eq!(api.writer().get(&path).await.status, 404, "{id}");
        }
    }
}

/// A client that has megabytes left to send reads the refusal, and may use the connection again.
#[tokio::test]
async fn a_refusal_is_read_by_a_client_that_is_still_sending() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let api = Api::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, api.router.clone()).into_future());
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        let body = vec![b' '; 20 * 1024 * 1024];
        let head = format!(
            "POST /client/v4/pages/assets/upload HTTP/1.1\r\nhost: x\r\nauthorization: Bearer expired\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"[]}") {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "the connection was closed");
        }
        assert!(String::from_utf8(answer).unwrap().contains("8000013"));
    }
}
