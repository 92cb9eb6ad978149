//! The deployment's form: cut off, too large, too many parts, not text where text is due.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use offprint_wire::error_code::ErrorCode;
use serde_json::json;

use super::{nothing_was_deployed, server_with_demo};
use crate::support::{Api, Form, TOKEN, asset_key, project, upload};

/// A form that would be a good deployment.
async fn good_form(api: &Api) -> Form {
    upload(api, "demo", &[("/index.html", b"front")]).await;
    Form::manifest(&json!({ "/index.html": asset_key("/index.html", b"front") }))
}

fn deployments() -> String {
    project("demo", "/deployments")
}

#[tokio::test]
async fn a_form_without_its_end_is_refused() {
    let (server, api) = server_with_demo().await;
    let (content_type, body) = good_form(&api).await.text("branch", "main").unfinished();
    for length in [0, 10, body.len() / 2, body.len() - 2, body.len()] {
        let call = api.post(&deployments()).body(&content_type, body[..length].to_vec());
        call.refused(ErrorCode::InvalidMultipart).await;
    }
    nothing_was_deployed(&server, &api).await;
}

#[tokio::test]
async fn a_form_whose_connection_breaks_leaves_nothing() {
    let (server, api) = server_with_demo().await;
    let (content_type, body) = good_form(&api).await.finish();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let path = format!("/client/v4{}", deployments());
    write!(stream, "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n").unwrap();
    write!(stream, "Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
    stream.write_all(&body[..body.len() - 10]).unwrap();
    drop(stream);
    tokio::time::sleep(Duration::from_millis(300)).await;
    nothing_was_deployed(&server, &api).await;
}

#[tokio::test]
async fn a_form_without_or_with_a_wrong_boundary_is_refused() {
    let (server, api) = server_with_demo().await;
    let (_, body) = good_form(&api).await.finish();
    for content_type in ["multipart/form-data", "multipart/form-data; boundary=other"] {
        let call = api.post(&deployments()).body(content_type, body.clone());
        call.refused(ErrorCode::InvalidMultipart).await;
    }
    nothing_was_deployed(&server, &api).await;
}

#[tokio::test]
async fn thousands_of_parts_are_refused() {
    let (server, api) = server_with_demo().await;
    let mut form = good_form(&api).await;
    for n in 0..5_000 {
        form = form.text(&format!("field-{n}"), "x");
    }
    api.post(&deployments()).form(form).refused(ErrorCode::InvalidMultipart).await;
    nothing_was_deployed(&server, &api).await;
}

#[tokio::test]
async fn a_few_unknown_parts_are_ignored() {
    let (_server, api) = server_with_demo().await;
    let form = good_form(&api).await.text("unknown", "x").file("other.bin", [0, 255]);
    api.post(&deployments()).form(form).ok().await;
}

#[tokio::test]
async fn text_that_is_not_utf8_is_refused() {
    let (server, api) = server_with_demo().await;
    let form = good_form(&api).await;
    let wrong = b"a\xff\xfe";
    let send = |form: Form| api.post(&deployments()).form(form);
    send(form.clone().text("commit_message", wrong)).refused(ErrorCode::InvalidCommitMessage).await;
    send(form.clone().text("branch", wrong)).refused(ErrorCode::InvalidBody).await;
    send(form.clone().text("commit_hash", wrong)).refused(ErrorCode::InvalidBody).await;
    send(form.clone().file("_headers", b"/*\n  X-A: b\xff\n")).refused(ErrorCode::InvalidBody).await;
    send(form.clone().file("_redirects", b"/a /b\xff 302\n")).refused(ErrorCode::InvalidBody).await;
    let manifest = Form::default().text("manifest", b"{\"/a\xff\":\"k\"}");
    send(manifest).refused(ErrorCode::InvalidManifest).await;
    nothing_was_deployed(&server, &api).await;
}

#[tokio::test]
async fn two_kinds_of_worker_exclude_each_other() {
    let (server, api) = server_with_demo().await;
    let worker = "export default { fetch() { return new Response('hi') } }";
    let form = good_form(&api).await;
    let both = form.clone().file("_worker.js", worker).file("_worker.bundle", worker);
    api.post(&deployments()).form(both).refused(ErrorCode::InvalidBody).await;
    let garbage = form.clone().file("_worker.bundle", "no boundary here");
    api.post(&deployments()).form(garbage).refused(ErrorCode::InvalidWorkerBundle).await;
    nothing_was_deployed(&server, &api).await;
}

#[tokio::test]
async fn routes_that_break_their_rules_are_refused() {
    let (server, api) = server_with_demo().await;
    let worker = "export default { fetch() { return new Response('hi') } }";
    let form = good_form(&api).await.file("_worker.js", worker);
    let many: Vec<String> = (0..101).map(|n| format!("/{n}")).collect();
    for routes in [
        json!({ "version": 2, "include": ["/*"], "exclude": [] }),
        json!({ "version": 1, "include": [], "exclude": [] }),
        json!({ "version": 1, "include": ["no-slash"], "exclude": [] }),
        json!({ "version": 1, "include": ["/a/*", "/a/b/*"], "exclude": [] }),
        json!({ "version": 1, "include": [format!("/{}", "a".repeat(100))], "exclude": [] }),
        json!({ "version": 1, "include": many, "exclude": [] }),
        json!({ "version": 1, "include": "/*" }),
        json!([]),
    ] {
        let form = form.clone().file("_routes.json", routes.to_string());
        api.post(&deployments()).form(form).refused(ErrorCode::InvalidRoutes).await;
    }
    nothing_was_deployed(&server, &api).await;
}

#[tokio::test]
async fn a_part_that_is_too_large_is_refused_and_not_held() {
    let (server, api) = server_with_demo().await;
    let form = good_form(&api).await;
    let before = server.peak_memory();
    let worker = vec![b'x'; 26 << 20];
    api.post(&deployments())
        .form(form.clone().file("_worker.js", &worker))
        .refused(ErrorCode::BodyTooLarge)
        .await;
    let branch = "b".repeat(8 << 20);
    api.post(&deployments()).form(form.text("branch", branch)).refused(ErrorCode::BodyTooLarge).await;
    let grown = (server.peak_memory() - before) >> 20;
    assert!(grown < 100, "the server grew by {grown} MiB");
    nothing_was_deployed(&server, &api).await;
}
