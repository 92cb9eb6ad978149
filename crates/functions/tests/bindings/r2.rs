//! R2.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use offprint_functions::Resource;
use offprint_model::object::ObjectKey;
use offprint_model::resource::ResourceKind;
use offprint_store::invariants::check_invariants;
use serde_json::json;

use crate::support::{House, Worker, assert_same, under_miniflare};

async fn bucket(house: &House, name: &str) -> Resource {
    house.create(ResourceKind::R2, name).await;
    Resource::R2 { account: house.account.clone(), bucket: name.into() }
}

fn blobs(house: &House) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for shelf in std::fs::read_dir(house.directory.path().join("data/blobs")).unwrap() {
        let shelf = shelf.unwrap().path();
        if shelf.is_dir() && !shelf.ends_with("tmp") {
            let names = std::fs::read_dir(shelf).unwrap();
            found.extend(names.map(|entry| entry.unwrap().file_name().into_string().unwrap()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_sees_what_it_would_see_elsewhere() {
    let house = House::new().await;
    let r2 = bucket(&house, "one").await;
    let Some(worker) = Worker::start(&house, "r2.js", &[("R2", r2)]).await else { return };
    let theirs = tokio::task::spawn_blocking(|| under_miniflare("r2.js")).await.unwrap();
    assert_same(&worker.transcript().await, &theirs, &[]);
    let broken = check_invariants(house.resources.store()).await.unwrap();
    assert!(broken.is_empty(), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_objects_stream_in_and_out() {
    let house = House::new().await;
    let r2 = bucket(&house, "one").await;
    let Some(worker) = Worker::start(&house, "r2.js", &[("R2", r2)]).await else { return };
    assert_eq!(worker.get("/large").await, json!([64 << 20, [32, 33]]).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn collection_leaves_what_is_held_and_takes_the_rest() {
    let house = House::new().await;
    let r2 = bucket(&house, "one").await;
    let Some(worker) = Worker::start(&house, "r2.js", &[("R2", r2)]).await else { return };
    let store = house.resources.store();
    let resource = store.resource_by_name(&house.account, ResourceKind::R2, "one").await.unwrap();
    let stored = join_all((0..40).map(|n| {
        let worker = &worker;
        async move { worker.get(&format!("/put/key-{}", n % 20)).await }
    }));
    assert!(stored.await.iter().all(|answer| answer == "stored"));
    let held = blobs(&house);
    assert_eq!(held.len(), 20);
    store.collect(Duration::ZERO).await.unwrap();
    assert_eq!(blobs(&house), held, "all are held");

    let keys: Vec<ObjectKey> = (0..5).map(|n| ObjectKey::parse(&format!("key-{n}")).unwrap()).collect();
    house.resources.r2().delete(&resource, &keys).await.unwrap();
    store.collect(Duration::from_secs(3600)).await.unwrap();
    assert_eq!(blobs(&house), held, "who reads them may finish");
    store.collect(Duration::ZERO).await.unwrap();
    assert_eq!(blobs(&house).len(), 15);
    let broken = check_invariants(store).await.unwrap();
    assert!(broken.is_empty(), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_deleted_when_it_is_empty_and_then_takes_nothing() {
    let house = House::new().await;
    let r2 = bucket(&house, "one").await;
    let Some(worker) = Worker::start(&house, "r2.js", &[("R2", r2)]).await else { return };
    assert_eq!(worker.get("/put/key").await, "stored");
    let store = house.resources.store();
    let resource = store.resource_by_name(&house.account, ResourceKind::R2, "one").await.unwrap();
    let refused = house.resources.delete(&house.account, &resource).await.unwrap_err();
    assert_eq!(refused.to_string(), "The bucket you tried to delete is not empty.");
    house.resources.r2().delete(&resource, &[ObjectKey::parse("key").unwrap()]).await.unwrap();
    house.resources.delete(&house.account, &resource).await.unwrap();
    assert_ne!(worker.get("/put/key").await, "stored");
}
