//! The Cache API.

use offprint_functions::Resource;
use offprint_model::config::Environment;
use offprint_model::id::ProjectId;
use offprint_store::ShortId;
use serde_json::json;

use crate::support::{House, Worker, assert_same, under_miniflare};

fn cache(project: &str, environment: Environment) -> Resource {
    Resource::Cache { project: ProjectId::new(project), environment, deployment: ShortId(1) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_sees_what_it_would_see_elsewhere() {
    let house = House::new().await;
    let bound = [("caches", cache("one", Environment::Production))];
    let Some(worker) = Worker::start(&house, "cache.js", &bound).await else { return };
    let theirs = tokio::task::spawn_blocking(|| under_miniflare("cache.js")).await.unwrap();
    let text = |body: &str| {
        let length = body.len().to_string();
        json!([200, { "content-type": "text/plain;charset=UTF-8", "content-length": length, "cf-cache-status": "HIT" }, body])
    };
    let differs = [
        // The real service keeps this for two hours.
        ("nothing said", text("x")),
        // miniflare knows one answer for a URL.
        ("vary", json!([text("deutsch"), text("english"), null])),
    ];
    assert_same(&worker.transcript().await, &theirs, &differs);
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_and_environments_have_caches_of_their_own() {
    let house = House::new().await;
    let start = async |project, environment| {
        Worker::start(&house, "cache.js", &[("caches", cache(project, environment))]).await
    };
    let Some(production) = start("one", Environment::Production).await else { return };
    let same = start("one", Environment::Production).await.unwrap();
    let preview = start("one", Environment::Preview).await.unwrap();
    let other = start("two", Environment::Production).await.unwrap();
    assert_eq!(production.get("/put?v=mine").await, "put");
    assert_eq!(same.get("/get").await, "mine");
    assert_eq!(preview.get("/get").await, "nothing");
    assert_eq!(other.get("/get").await, "nothing");
}
