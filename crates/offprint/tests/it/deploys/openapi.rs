//! The published description: what it says, so that no change of it goes unnoticed.

use serde_json::Value;

use crate::support::TestServer;

#[tokio::test]
async fn the_description_is_the_one_that_was_looked_at() {
    let server = TestServer::start().await;
    let answer = reqwest::get(format!("{}/openapi.json", server.origin())).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    let mut document: Value = answer.json().await.unwrap();
    document["info"]["version"] = "the version".into();
    insta::assert_json_snapshot!(document);
    let page = reqwest::get(format!("{}/api-docs", server.origin())).await.unwrap().text().await.unwrap();
    assert!(!page.contains("src=") && !page.contains("https://"), "the page needs nothing from elsewhere");
}
