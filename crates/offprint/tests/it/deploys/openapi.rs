//! The published description: what it says, so that no change of it goes unnoticed.

use serde_json::Value;

use crate::support::TestServer;

#[tokio::test]
async fn the_description_is_the_one_that_was_looked_at() {
    let server = TestServer::start().await;
    let answer = reqwest::get(format!("{}/openapi.json", server.origin())).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    let document: Value = answer.json().await.unwrap();
    insta::assert_snapshot!(lines(&document));
    let page = reqwest::get(format!("{}/api-docs", server.origin())).await.unwrap().text().await.unwrap();
    assert!(!page.contains("src=") && !page.contains("https://"), "the page needs nothing from elsewhere");
}

/// The document with a line for each operation and each schema: a change of one is then a change of one line.
fn lines(document: &Value) -> String {
    let mut lines = vec![document["info"]["description"].as_str().unwrap().to_owned()];
    for (path, methods) in document["paths"].as_object().unwrap() {
        lines.extend(
            methods
                .as_object()
                .unwrap()
                .iter()
                .map(|(method, operation)| format!("{method} {path} {operation}")),
        );
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    lines.extend(schemas.iter().map(|(name, schema)| format!("{name} {schema}")));
    lines.join("\n")
}
