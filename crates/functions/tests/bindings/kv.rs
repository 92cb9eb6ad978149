//! KV.

use futures_util::future::join_all;
use offprint_model::kv::KvKey;
use offprint_model::resource::ResourceKind;
use serde_json::json;

use crate::support::{House, Worker, assert_same, under_miniflare};

#[tokio::test(flavor = "multi_thread")]
async fn a_function_sees_what_it_would_see_elsewhere() {
    let house = House::new().await;
    let kv = house.kv("one").await;
    let Some(worker) = Worker::start(&house, "kv.js", &[("KV", kv)]).await else { return };
    let theirs = tokio::task::spawn_blocking(|| under_miniflare("kv.js")).await.unwrap();
    // workerd sends metadata in a header, and our HTTP library refuses a request with this character in one.
    let strange = (
        "put metadata with a character that is in no header",
        json!("error: KV PUT failed: 400 Bad Request"),
    );
    assert_same(&worker.transcript().await, &theirs, &[strange]);
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_know_nothing_of_one_another() {
    let house = House::new().await;
    let (one, two) = (house.kv("one").await, house.kv("two").await);
    let Some(first) = Worker::start(&house, "kv.js", &[("KV", one)]).await else { return };
    let second = Worker::start(&house, "kv.js", &[("KV", two)]).await.unwrap();
    assert_eq!(first.get("/count").await, "1");
    assert_eq!(first.get("/count").await, "2");
    assert_eq!(second.get("/count").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_at_once_lose_nothing() {
    let house = House::new().await;
    let kv = house.kv("one").await;
    let Some(worker) = Worker::start(&house, "kv.js", &[("KV", kv.clone())]).await else { return };
    let stored = join_all((0..200).map(|n| {
        let worker = &worker;
        async move { worker.get(&format!("/put/key-{n}")).await }
    }));
    assert!(stored.await.iter().all(|answer| answer == "stored"));
    let resource =
        house.resources.store().all_resources(&house.account, ResourceKind::Kv).await.unwrap().remove(0);
    for n in 0..200 {
        let entry =
            house.resources.kv().get(&resource, KvKey::parse(&format!("key-{n}")).unwrap()).await.unwrap();
        assert_eq!(entry.unwrap().value, format!("key-{n}").repeat(100));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_namespace_is_an_error_and_not_an_empty_one() {
    let house = House::new().await;
    let kv = house.kv("one").await;
    let Some(worker) = Worker::start(&house, "kv.js", &[("KV", kv)]).await else { return };
    assert_eq!(worker.get("/count").await, "1");
    let resource =
        house.resources.store().all_resources(&house.account, ResourceKind::Kv).await.unwrap().remove(0);
    house.resources.delete(&house.account, &resource).await.unwrap();
    let answer = worker.get("/put/key").await;
    assert!(!answer.contains("stored"), "{answer}");
    let files = std::fs::read_dir(house.directory.path().join("data/bindings/kv")).unwrap().count();
    assert_eq!(files, 0, "nothing is left on the disk");
}
