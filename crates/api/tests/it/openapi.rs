//! The published description and the router, compared.

use std::collections::BTreeSet;

use axum::body::{Body, to_bytes};
use http::{Method, Request};
use serde_json::Value;
use tower::ServiceExt;

use crate::harness::Api;

#[tokio::test]
async fn every_path_takes_the_methods_that_are_described_and_no_others() {
    let api = Api::start().await;
    let ask = async |method: Method, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        api.router.clone().oneshot(request).await.unwrap()
    };
    let answer = ask(Method::GET, "/openapi.json").await;
    let document: Value =
        serde_json::from_slice(&to_bytes(answer.into_body(), 10_000_000).await.unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 70, "{}", paths.len());
    for (path, methods) in paths {
        let described: BTreeSet<String> =
            methods.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        let example = path.replace(['{', '}'], "");
        let answer = ask(Method::from_bytes(b"QUERY").unwrap(), &example).await;
        assert_eq!(answer.status(), 405, "{path}");
        let allowed = answer.headers()["allow"].to_str().unwrap().to_owned();
        let taken = allowed.split(',').filter(|method| *method != "HEAD").map(str::to_owned).collect();
        assert_eq!(described, taken, "{path}");
    }
}
