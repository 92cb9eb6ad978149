//! Our extensions of the Pages API, asked without the right to. The rest is in the server's integration tests, whose
//! table is the official description.

use axum::body::Body;
use axum::http::Method;

use crate::harness::{Api, Client, demo};

/// Method, path below the project, whether reading is enough.
const EXTENSIONS: [(Method, &str, bool); 10] = [
    (Method::POST, "/deployments/x/cancel", false),
    (Method::GET, "/deployments/x/history/logs/stream", true),
    (Method::GET, "/deploy_hooks", false),
    (Method::POST, "/deploy_hooks", false),
    (Method::DELETE, "/deploy_hooks/x", false),
    (Method::GET, "/source", true),
    (Method::PATCH, "/source", false),
    (Method::POST, "/source/webhook_secret", false),
    (Method::GET, "/pull_requests", true),
    (Method::POST, "/pull_requests/8/approve", false),
];

async fn ask(client: &Client<'_>, method: &Method, path: &str) -> (u16, u64) {
    client.send(method.clone(), path, Some("application/json"), Body::from("{}")).await.refusal()
}

#[tokio::test]
async fn nothing_is_done_for_those_who_may_not() {
    let api = Api::start().await;
    api.built_project().await;
    for (method, path, reading_is_enough) in EXTENSIONS {
        let here = demo(path);
        assert_eq!(ask(&api.anonymous(), &method, &here).await, (400, 9106), "{method} {path}");
        assert_eq!(ask(&api.bearer("unknown"), &method, &here).await, (401, 10000), "{method} {path}");
        let elsewhere = here.replace("{a}", "ffffffffffffffffffffffffffffffff");
        assert_eq!(ask(&api.writer(), &method, &elsewhere).await, (403, 10000), "{method} {path}");
        let by_reader = ask(&api.reader(), &method, &here).await;
        assert_eq!(by_reader == (403, 10000), !reading_is_enough, "{method} {path}: {by_reader:?}");
        let nobodys = here.replace("/demo", "/nobody");
        assert_eq!(ask(&api.writer(), &method, &nobodys).await, (404, 8_000_007), "{method} {path}");
    }
}
